"""Snapshots that one machine publishes into a storage, and others follow."""

"""A snapshot on disk: publish, verify, roll back, prune, read."""

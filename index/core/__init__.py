"""Errors, ids, array types, files and progress, for every other sub-package."""

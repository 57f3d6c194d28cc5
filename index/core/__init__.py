"""Errors, ids, dtypes, files and progress: everything else rests on these."""

"""Movie catalogue: ids, title search, filters."""

"""Vector spaces: embed posters, compute taste and facts vectors, write searchable files."""

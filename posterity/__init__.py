"""Posterity: movie similarity by poster, by ratings, or by a blend of both."""

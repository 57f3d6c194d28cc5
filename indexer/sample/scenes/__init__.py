"""Poster scenes: the shapes, lettering and pictures of the sample's posters."""

"""Data sets: read ratings, movies and tags from files, merge the library into them."""

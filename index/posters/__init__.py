"""Poster images: decode, embed with VGG16, compare."""

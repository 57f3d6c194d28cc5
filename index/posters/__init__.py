"""Poster images: decoding, VGG16 embedding, comparison."""

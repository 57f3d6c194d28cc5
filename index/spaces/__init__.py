"""Searchable vector spaces: exact nearest neighbours by Faiss, alone and blended."""

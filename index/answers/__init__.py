"""Answers as JSON values: their types, and the functions that make them."""

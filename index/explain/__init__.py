"""Explanations of similarity: posters cell by cell, taste by numbers of users."""

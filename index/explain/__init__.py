"""Explanations of likeness: posters cell by cell, taste in numbers of users."""

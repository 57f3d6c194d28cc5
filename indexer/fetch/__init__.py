"""Fetching from MovieLens, TMDB and Keras: every step resumes, checks what it got, and ends whole or not at all."""

"""Ratings, watched movies and watchlists from elsewhere: read from an export, and matched with the catalogue."""

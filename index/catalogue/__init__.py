"""The movies of a snapshot: by id, by title, and through filters."""

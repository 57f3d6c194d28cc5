"""One module a rating method."""

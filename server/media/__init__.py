"""Images over HTTP: the upload queue and thumbnails."""

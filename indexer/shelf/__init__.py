"""A film library on disk or of a media server, as a data set."""

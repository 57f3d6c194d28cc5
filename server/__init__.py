"""The HTTP API and the web page, by Flask."""

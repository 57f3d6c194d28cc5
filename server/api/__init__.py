"""The HTTP API: routes, and the types of requests and responses."""

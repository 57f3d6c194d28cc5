"""The HTTP API: routes, request and response types, and the OpenAPI document."""

"""The documentation of the API: the OpenAPI document, and a page to read and try it."""

"""The web page: one module per page, rendered with templates."""

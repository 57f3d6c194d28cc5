"""JSON values of responses: their types, and the functions that build them."""

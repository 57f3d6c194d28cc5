"""Rating methods, one per module, and the choice among them."""

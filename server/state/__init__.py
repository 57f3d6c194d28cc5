"""Server state: the snapshot that is served, and cached responses."""

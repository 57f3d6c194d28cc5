"""Server state: the current snapshot, cached responses, and the process that follows a storage."""

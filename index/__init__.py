"""What indexer and server share: a snapshot on disk, and every question asked of it."""

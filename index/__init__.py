"""A snapshot on disk, and every query answered from it; shared by the indexer and the server."""

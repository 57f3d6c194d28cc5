"""The library: movies, ratings and API keys added online, durably, in SQLite."""

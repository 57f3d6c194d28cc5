"""Per-request concerns: access, compression, errors, headers, logs, metrics, health."""

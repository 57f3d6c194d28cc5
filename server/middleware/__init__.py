"""Per-request concerns: access, errors, headers, logs, metrics, health."""

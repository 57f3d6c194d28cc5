"""Metrics of an evaluation, as estimates with bootstrap intervals."""

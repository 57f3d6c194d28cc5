"""Evaluations: split the data, fit every method, score it on the held-out part."""

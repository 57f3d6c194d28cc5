"""Offline work: read data sets, embed posters, train models, publish a snapshot."""

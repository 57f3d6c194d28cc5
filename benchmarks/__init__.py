"""Benchmarks of speed and memory against named alternatives (README.md)."""

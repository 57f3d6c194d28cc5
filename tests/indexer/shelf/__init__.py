"""Tests of indexer.shelf."""

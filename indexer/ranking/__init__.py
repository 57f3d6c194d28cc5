"""Ranking methods, and the learned ranker over them."""

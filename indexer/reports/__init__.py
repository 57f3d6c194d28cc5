"""Evaluation reports: JSON, HTML and plots."""

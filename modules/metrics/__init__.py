"""Evaluation metrics, one family per file."""

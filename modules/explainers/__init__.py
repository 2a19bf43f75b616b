"""Explainers, one per file."""

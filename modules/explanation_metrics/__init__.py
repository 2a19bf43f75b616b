"""Scores of the quality of maps, one per file."""

"""Heads (feature map to embedding), one per file."""

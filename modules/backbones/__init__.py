"""Backbones, one per file."""

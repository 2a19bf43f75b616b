"""Augmentations: one file per pipeline."""

"""Weights in files: published ones by name, and layouts of other projects."""

"""Layers and blocks shared by several networks."""

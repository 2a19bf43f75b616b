"""Decoders (feature map to image), one per file."""

"""Batch composition: one file per method."""

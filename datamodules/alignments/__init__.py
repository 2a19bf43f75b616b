"""Alignments: one file per method to crop a detected face."""

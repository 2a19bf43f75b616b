"""The end of a training on request. In a file of its own, so that code that only handles it does not load Lightning."""

from __future__ import annotations


class Stopped(Exception):
    """Training stopped on request, after saving its state."""

"""Deterministic algorithms without the cost of filling uninitialized memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Turns off filling of uninitialized memory with NaN, which torch's deterministic mode does to reveal reads of it.

    Our code has no such reads, and filling costs a fifth of a training step of MobileFaceNet (tests/bench/test_step_bench.py).
    """
    import torch.utils.deterministic as settings

    before = settings.fill_uninitialized_memory  # type: ignore[attr-defined]
    settings.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        settings.fill_uninitialized_memory = before  # type: ignore[attr-defined]

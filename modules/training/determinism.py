"""Deterministic algorithms without their price in memory traffic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """torch's deterministic mode writes NaN into all fresh memory, so that whoever reads it unwritten is found out.

    Nothing here does, and it costs a fifth of a training step of MobileFaceNet (tests/bench/test_step_bench.py).
    """
    import torch.utils.deterministic as settings

    before = settings.fill_uninitialized_memory  # type: ignore[attr-defined]
    settings.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        settings.fill_uninitialized_memory = before  # type: ignore[attr-defined]

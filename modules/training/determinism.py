"""Deterministic algorithms without the costs that our code need not pay."""

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


@contextlib.contextmanager
def kept_algorithms() -> Iterator[None]:
    """Context manager: afterwards torch's algorithms are deterministic if they were before."""
    import torch

    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)


@contextlib.contextmanager
def any_order() -> Iterator[None]:
    """Allows sums in any order: those of integers are equal in each, and torch's deterministic form on CUDA sorts first."""
    import torch

    with kept_algorithms():
        torch.use_deterministic_algorithms(False)
        yield

"""Measurements of tests/gpu that call stages still run, on the CPU and at small sizes: no other test runs them."""

from __future__ import annotations

import pytest
import throughput_images


@pytest.mark.slow
def test_the_speed_of_embeddings_is_still_measured() -> None:
    whole, half = throughput_images.evaluation("cpu")
    assert whole.ratio is not None
    assert whole.ratio > 0
    assert half.ours.endswith(" img/s")


@pytest.mark.slow
def test_the_speed_of_the_loader_is_still_measured() -> None:
    for rows in (throughput_images.flips, throughput_images.batches):
        assert all(row.ours.endswith(" img/s") for row in rows("cpu"))

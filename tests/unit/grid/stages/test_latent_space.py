"""The encoder of a study: what it measures belongs to the images that it says."""

from typing import Any

import numpy as np
import pytest
import torch

from grid.execution.job import begin
from grid.stages.extra.decode import decoding
from grid.stages.latent_space import Encoder, pixels


def test_pixels_are_the_inverse_of_the_networks_input() -> None:
    from grid.stages.explain import tensors

    crops = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    assert np.array_equal(pixels(tensors(crops, "cpu")).numpy(), crops)
    assert pixels(torch.full((1, 3, 1, 1), 1.7)).max() == 255


@pytest.fixture
def encoder(studied_cell: Any) -> Encoder:
    from grid.execution.job import RunOptions

    begun = begin(studied_cell.jobs["latent"])
    training, settings = begun.configs["training"], begun.configs["decoding"]  # type: ignore[union-attr]
    context = begun.context(RunOptions())  # type: ignore[union-attr]
    return Encoder.of(context, training, decoding(training, settings), "decode", 10)  # type: ignore[arg-type]


def test_vectors_are_those_of_the_rows_one_by_one(encoder: Encoder) -> None:
    codes = encoder.codes(encoder.studied.rows)
    np.testing.assert_allclose(encoder.pooled, codes.mean((2, 3)).numpy(), atol=1e-5)
    with torch.inference_mode():
        np.testing.assert_allclose(encoder.vectors("embedding"), encoder.network.head(codes).numpy(), atol=1e-5)
    assert np.abs(encoder.images(codes).astype(int) - encoder.reconstructions).max() <= 1
    assert len(encoder.pooled) == len(encoder.subjects) == 10


def test_attributes_are_those_of_the_studied_images(encoder: Encoder) -> None:
    found, places = encoder.attribute("gender")
    whole = encoder.columns["gender"]
    assert places.tolist() == list(range(10))
    assert found.values.tolist() == whole.values[encoder.studied.rows].tolist()
    assert found.classes == ("Male", "Female")

"""Embeddings that were computed elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modules.backbones.stored import StoredConfig
from modules.shape_inference import feature_shape

KEYS = ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
VECTORS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def save(path: Path, **arrays: Any) -> StoredConfig:
    np.savez(path, **arrays)
    return StoredConfig(path=path, dimension=5)


def test_vectors_are_found_by_key_or_by_the_end_of_a_path(tmp_path: Path) -> None:
    plain = save(tmp_path / "a.npz", keys=KEYS, embeddings=VECTORS)
    paths = save(tmp_path / "b.npz", keys=[f"/data/lfw/{key}" for key in KEYS], embeddings=VECTORS)
    for config in (plain, paths):
        found = config.vectors(["b/1.jpg", "a/1.jpg"])
        assert found.dtype == np.float64
        assert np.array_equal(found, VECTORS[[2, 0]])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["/x/a/1.jpg", "/y/a/1.jpg", "b"], "the image a/1.jpg is the end of two of its keys"),
        (["c/1.jpg", "d/1.jpg", "e"], "the image a/1.jpg is not among its keys"),
        (["a/1.jpg", "a/1.jpg", "b"], "a key stands twice"),
    ],
)
def test_an_image_without_one_embedding_is_named(tmp_path: Path, keys: list[str], said: str) -> None:
    config = save(tmp_path / "a.npz", keys=keys, embeddings=VECTORS)
    with pytest.raises(ValueError, match=said):
        config.vectors(["a/1.jpg"])


def test_a_damaged_or_pickled_file_is_refused(tmp_path: Path) -> None:
    objects = save(tmp_path / "a.npz", keys=np.array(KEYS, object), embeddings=VECTORS)
    numbers = save(tmp_path / "b.npz", keys=np.arange(3), embeddings=VECTORS)
    (tmp_path / "c.npz").write_bytes(b"x")
    for config in (objects, numbers, StoredConfig(path=tmp_path / "c.npz")):
        with pytest.raises(ValueError, match=rf"{config.path.name}: ") as error:
            config.vectors(KEYS)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"embeddings have 5 numbers, and backbone\.dimension is 512"):
        StoredConfig(path=save(tmp_path / "d.npz", keys=KEYS, embeddings=VECTORS).path).vectors(KEYS)


def test_it_embeds_no_image(tmp_path: Path) -> None:
    config = save(tmp_path / "a.npz", keys=KEYS, embeddings=VECTORS)
    assert feature_shape(config, 64) == (5, 1, 1)
    with pytest.raises(ValueError, match="stored embeddings and scores have no network"):
        config.build()(torch.zeros(1, 3, 64, 64))

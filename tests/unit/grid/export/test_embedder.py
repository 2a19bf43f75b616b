"""An exported network at work."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from configs.lookup import resolve
from grid.export.embedder import Embedder, network_of
from grid.spec.grid_file import BadInput


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two images of one drawn subject and one of another."""
    data: Any = resolve("data", {"name": "drawn", "subjects": 2, "shots": 2})
    dataset = data.build(data.manifest(Path()))
    folder = tmp_path_factory.mktemp("faces")
    for row in (0, 1, 2):
        assert cv2.imwrite(str(folder / f"{row}.png"), np.ascontiguousarray(dataset.image(row)[..., ::-1]))
    return sorted(folder.iterdir())


@pytest.mark.slow
def test_an_embedding_is_that_of_the_crop_plus_its_mirror_image(package: Any, files: list[Path]) -> None:
    embedder = Embedder(package)
    crops, found = embedder.crops(files)
    assert crops.shape == (3, 64, 64, 3)
    assert all(found)
    images = torch.tensor(crops.astype(np.float32).transpose(0, 3, 1, 2) / 127.5 - 1)
    with torch.inference_mode():
        total = (network_of(package)(images) + network_of(package)(torch.flip(images, [3]))).double().numpy()
    np.testing.assert_allclose(embedder.embed(crops), total / np.linalg.norm(total, axis=1, keepdims=True), atol=1e-6)


def test_verify_decides_by_the_threshold_of_the_package(package: Any, files: list[Path]) -> None:
    embedder = Embedder(package)
    vectors = embedder.embed(embedder.crops(files)[0]).astype(float)
    decision = embedder.verify(files[0], files[2])
    assert decision["similarity"] == pytest.approx(vectors[0] @ vectors[2], abs=1e-6)
    assert decision["threshold"] == package.record["threshold"]["threshold"]
    assert decision["same"] == (decision["similarity"] >= decision["threshold"])
    assert decision["fmr"] == package.record["threshold"]["fmr"]
    own = embedder.verify(files[0], files[2], threshold=decision["similarity"])
    assert own["same"]
    assert own["fmr"] is None


def test_a_file_that_is_no_image_is_named(package: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"a\.jpg: no image of a known format"):
        Embedder(package).verify(tmp_path / "a.jpg", tmp_path / "a.jpg")

"""What a network sees of each image, and how the embeddings of these views are added."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from grid.stages.evaluate import BATCH, embed, views

SIDE = 8
IMAGES = torch.arange(2 * 3 * SIDE * SIDE, dtype=torch.float32).reshape(2, 3, SIDE, SIDE)


def protocol(**settings: Any) -> Any:
    return resolve("protocol", {"name": "drawn", **settings})


@pytest.mark.parametrize(("settings", "count"), [({}, 1), ({"flip_test": True}, 2), ({"multi_crop": 0.5}, 5)])
def test_a_protocol_says_how_many_views_there_are(settings: dict[str, Any], count: int) -> None:
    found = [view(IMAGES) for view in views(protocol(**settings))]
    assert len(found) == count
    assert torch.equal(found[0], IMAGES)
    assert all(view.shape == IMAGES.shape for view in found)


def test_the_flipped_view_is_the_sync_image() -> None:
    _, synced = (view(IMAGES) for view in views(protocol(flip_test=True)))
    assert torch.equal(synced, torch.from_numpy(IMAGES.numpy()[..., ::-1].copy()))


def test_corners_are_the_four_corners_and_each_has_its_own_sync_image() -> None:
    flat = torch.zeros(1, 3, SIDE, SIDE)
    for number, (down, across) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):  # each quarter has one level
        flat[:, :, down * 4 : down * 4 + 4, across * 4 : across * 4 + 4] = number
    found = [view(flat) for view in views(protocol(multi_crop=0.5))][1:]
    assert [sorted(set(view.flatten().tolist())) for view in found] == [[0.0], [1.0], [2.0], [3.0]]
    both = [view(IMAGES) for view in views(protocol(multi_crop=0.5, flip_test=True))]
    assert len(both) == 10
    for plain, synced in zip(both[0::2], both[1::2], strict=True):
        assert torch.equal(synced, plain.flip(3))


@dataclass
class Columns:
    """A network whose embedding is the mean of each column of the first channel."""

    sizes: list[int]

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(images))
        return images[:, 0].mean(dim=1)


def test_the_views_of_an_image_are_added_and_batches_make_no_difference() -> None:
    count = BATCH + 3
    crops = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    said: list[dict[str, Any]] = []
    network = Columns([])
    context: Any = SimpleNamespace(device="cpu", report=said.append)
    found = embed(network, crops, protocol(flip_test=True), context)  # type: ignore[arg-type]
    columns = crops[..., 0].astype(np.float32).mean(axis=1) / 127.5 - 1
    np.testing.assert_allclose(found, columns + columns[:, ::-1], atol=1e-5)
    assert found.dtype == np.float64
    assert network.sizes == [BATCH, BATCH, 3, 3]
    assert said[-1] == {"done": count, "total": count, "unit": "images"}

"""What a network sees of each image, and how the embeddings of these views are added."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from datamodules.crops import CropTable
from datamodules.inference import BATCH
from grid.spec.training import Target
from grid.stages.evaluate import _predicted, embed, predicted, stored, views, without_vectors

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


def alone(report: Callable[[dict[str, Any]], None] = lambda row: None) -> Any:
    """The context of an evaluation on one device."""
    own = {"device": "cpu", "accelerator": "cpu", "devices": 1, "fast": False, "memory_probe": None}
    return SimpleNamespace(**own, helper=None, report=report)


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
    table = CropTable(crops, SIDE, np.arange(count), 0)
    said: list[dict[str, Any]] = []
    network = Columns([])
    context = alone(said.append)
    found = embed(network, table, protocol(flip_test=True), context)  # type: ignore[arg-type]
    columns = crops[..., 0].astype(np.float32).mean(axis=1) / 127.5 - 1
    np.testing.assert_allclose(found, columns + columns[:, ::-1], atol=1e-5)
    assert found.dtype == np.float64
    assert network.sizes == [BATCH, BATCH, 3, 3]
    assert said[-1] == {"done": count, "total": count, "unit": "images"}


def test_another_precision_is_another_evaluation_and_the_default_is_not_named() -> None:
    assert protocol().evaluation_identity() == protocol(precision="32-true").evaluation_identity() == {}
    assert protocol(precision="bf16-mixed", multi_crop=0.5).evaluation_identity() == {
        "precision": "bf16-mixed",
        "multi_crop": 0.5,
    }


def test_views_are_added_in_32_bits_under_bfloat16() -> None:
    seen = []

    class Linear:
        def embed(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images[:, 0].flatten(1) @ torch.eye(SIDE * SIDE))
            return seen[-1]

    crops = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)
    context = alone()
    table = CropTable(crops, SIDE, np.arange(3), 0)
    found = embed(Linear(), table, protocol(flip_test=True, precision="bf16-mixed"), context)  # type: ignore[arg-type]
    assert [one.dtype for one in seen] == [torch.bfloat16] * 2
    np.testing.assert_array_equal(found, seen[0].double().numpy() + seen[1].double().numpy())


def test_stored_embeddings_have_no_other_precision() -> None:
    training: Any = SimpleNamespace(backbone=SimpleNamespace(vectors=lambda keys: np.ones((len(keys), 2))))
    assert stored(training, protocol(), ["a"]).shape == (1, 2)
    with pytest.raises(ValueError, match=r"drawn.*precision is bf16-mixed, leave it out"):
        stored(training, protocol(precision="bf16-mixed"), ["a"])


class Attributes:
    """Predicts from the mean of each column of the first channel: two classes, a number, and the identity."""

    def predictions(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        columns = images[:, 0].mean(dim=1)
        return {"gender": columns[:, :2].softmax(1), "age": columns[:, 0], "identity": columns}


def test_predictions_are_averaged_over_the_views_and_those_of_identities_are_left_out() -> None:
    count = BATCH + 3
    crops = np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8)
    table = CropTable(crops, SIDE, np.arange(count), 0)
    context = alone()
    network: Any = Attributes()
    found = predicted(network, table, protocol(flip_test=True), context)
    columns = crops[..., 0].astype(np.float32).mean(axis=1) / 127.5 - 1
    assert set(found) == {"gender", "age"}
    np.testing.assert_allclose(found["age"], (columns[:, 0] + columns[:, -1]) / 2, atol=1e-5)
    both = [np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in (columns[:, :2], columns[:, :-3:-1])]
    np.testing.assert_allclose(found["gender"], np.mean(both, axis=0), atol=1e-5)


def test_classes_are_those_that_the_training_recorded() -> None:
    targets = {"gender": Target(), "age": Target()}
    training: Any = SimpleNamespace(targets=targets)
    facts = {"class_counts": {"gender": [["Male", 3], ["Female", 0]]}}
    context: Any = SimpleNamespace(inputs={"train": SimpleNamespace(facts=facts)})
    found = _predicted(context, training, "gender", np.ones((2, 2)))
    assert (found.classes, found.trained) == (("Male", "Female"), (3, 0))
    assert _predicted(context, training, "age", np.ones(2)).classes is None
    facts.clear()
    with pytest.raises(ValueError, match=r"recorded no classes of target gender.*--retry stale"):
        _predicted(context, training, "gender", np.ones((2, 2)))


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"name": "all_pairs", "data": "drawn"}, "protocol all_pairs: task all_pairs needs embeddings"),
        ({"name": "lfw", "root": "/x", "setting": "restricted"}, "protocol lfw: setting restricted needs embeddings"),
        ({"name": "drawn", "flip_test": True}, "protocol drawn: what is stored is final; leave flip_test"),
    ],
)
def test_scores_of_pairs_serve_lists_of_pairs_alone(protocol: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        without_vectors(resolve("protocol", protocol), 3)
    assert without_vectors(resolve("protocol", {"name": "drawn"}), 3).shape == (3, 0)

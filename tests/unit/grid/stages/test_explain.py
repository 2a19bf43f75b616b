"""Explanations: files of maps, and a manifest that says what they are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from grid.spec.grid_file import read
from grid.stages.context import Faces
from grid.stages.explain import pairs_to_tune_on, target_of, tensors
from modules.attribution.targets import ClassLogit, Cosine, Distance


def test_maps_of_images_have_one_map_per_image_and_name_the_weights(ran: Any) -> None:
    manifest = ran.json("explain:gradcam", "manifest.json")
    assert manifest["checkpoint"] == ran.marker("train").outputs["model.safetensors"]["sha256"]
    maps = np.load(ran.path("explain:gradcam", "maps.npy"))
    assert maps.dtype == np.float32
    assert len(maps) == len(manifest["images"]) == len(np.load(ran.path("explain:gradcam", "images.npy"))) == 3
    assert [one["name"] for one in manifest["maps"]] == [""]
    assert all({"key", "identity", "class", "logit", "predicted"} <= set(row) for row in manifest["images"])


def test_the_images_of_a_pair_stand_one_after_the_other(ran: Any) -> None:
    for label in ("explain:pairs", "explain:stylianou"):
        rows = ran.json(label, "manifest.json")["images"]
        assert [(row["pair"], row["side"]) for row in rows] == [(0, "left"), (0, "right"), (1, "left"), (1, "right")]
        assert {rows[0]["same"], rows[2]["same"]} == {True, False}
        assert all(left["cosine"] == right["cosine"] for left, right in zip(rows[0::2], rows[1::2], strict=True))


def test_a_method_shows_which_pair_it_is_at(ran: Any) -> None:
    assert ran.reports["explain:xssab"] == [{"done": done, "total": 2, "unit": "pairs"} for done in (1, 2)]


GRIDS = Path(__file__).parents[4] / "configs/grids"
TUNED = ("pair_occlusion", "reconstruction")  # by a threshold between genuine and impostor pairs


@pytest.mark.parametrize("file", ["lookalikes", "masked", "score_trust", "xu2023_small", "zhong2018_small"])
def test_shipped_grids_hold_out_pairs_of_both_kinds_for_the_thresholds_of_their_explainers(file: str) -> None:
    """With one held-out image per subject there is no genuine pair: no Theta, and S is refused."""
    cell: Any = next(one.cell for one in read(GRIDS / f"{file}.yaml").combinations() if one.cell)
    assert any(explainer.name in TUNED for explainer in cell.explainers)
    training = cell.training()
    manifest = training.data.manifest(None)
    every: Any = SimpleNamespace(kept=np.arange(len(manifest.keys)))
    left, right, same = pairs_to_tune_on(Faces(manifest, every, tuple(manifest.identities)), training, 40)
    assert len(left) == len(right) == 40
    assert sum(same) == 20
    assert [manifest.identities[row] for row in left[:20]] == [manifest.identities[row] for row in right[:20]]


class Flat:
    """Its embedding is the first three pixels, its logits are the embedding."""

    classifies = True

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :3]

    __call__ = embed


@pytest.mark.parametrize(("name", "kind"), [("cosine", Cosine), ("distance", Distance)])
def test_the_target_of_a_pair_is_the_other_image(name: str, kind: type) -> None:
    images = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    network: Any = Flat()
    target = target_of(network, resolve("explainer", {"name": "gradcam", "pairs": 2, "pair_target": name}), images, None)
    assert type(target) is kind
    assert torch.equal(target.references, network.embed(images)[[1, 0, 3, 2]])  # type: ignore[attr-defined]


def test_the_target_of_an_image_is_its_class_or_the_networks_first_choice() -> None:
    images = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    network: Any = Flat()
    explainer = resolve("explainer", {"name": "gradcam", "pairs": 2, "pair_target": "top_class"})
    labels = np.array([2, 1, 0, 0])
    assert isinstance(target_of(network, explainer, images, labels), ClassLogit)
    assert isinstance(target_of(network, explainer, images, None), ClassLogit)


def test_crops_become_tensors_between_minus_one_and_one() -> None:
    crops = np.zeros((2, 3, 4, 3), np.uint8)
    crops[1, ..., 2] = 255
    found = tensors(crops, "cpu")
    assert found.shape == (2, 3, 3, 4)
    assert found[0].eq(-1).all()
    assert found[1, 2].eq(1).all()

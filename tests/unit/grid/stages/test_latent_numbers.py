"""The numbers of a study, against the modules that compute them."""

from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grid.stages.latent_numbers import measured, reconstruction
from modules.latent.attribute_labels import Attribute
from modules.latent.image_quality import psnr, ssim

GENERATOR = np.random.default_rng(0)
CROPS = GENERATOR.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
SUBJECTS = np.repeat(np.arange(20), 2)
KINDS = np.repeat(GENERATOR.permutation(np.arange(20) % 2), 2)
SETTINGS = SimpleNamespace(
    attributes=(), vectors="pooled", folds=2, strength=1.0, permutations=3, dimension_permutations=49, resamples=100, seed=0
)


class Fake:
    """Vectors whose second dimension is the kind; embeddings are noise."""

    columns: Any = MappingProxyType({"kind": None, "alone": None})
    subjects = SUBJECTS
    studied = SimpleNamespace(rows=np.arange(40))
    pooled = GENERATOR.normal(size=(40, 4))
    embeddings = GENERATOR.normal(size=(40, 3))
    reconstructions = np.clip(CROPS.astype(int) + 9, 0, 255).astype(np.uint8)

    def crops(self, rows: Any) -> np.ndarray:
        return CROPS[rows]

    def vectors(self, kind: str) -> np.ndarray:
        return {"pooled": self.pooled, "embedding": self.embeddings}[kind]

    def attribute(self, name: str) -> tuple[Attribute, np.ndarray]:
        places = np.arange(4, 40)
        values = KINDS[places] if name == "kind" else np.zeros(36, np.int64)
        return Attribute(name, values, ("x", "y")), places


Fake.pooled[:, 1] += 6 * KINDS


def test_quality_is_that_of_reconstructions_and_of_the_mean_face() -> None:
    found = reconstruction(Fake(), SETTINGS)  # type: ignore[arg-type]
    assert found["psnr"]["value"] == pytest.approx(psnr(CROPS, Fake.reconstructions).mean())
    mean = np.repeat(np.rint(CROPS.mean(0)).astype(np.uint8)[None], 40, axis=0)
    assert found["ssim_mean_face"]["value"] == pytest.approx(ssim(CROPS, mean).mean())
    assert found["psnr"]["value"] > found["psnr_mean_face"]["value"]


def test_the_same_error_in_every_image_gives_psnr_no_interval() -> None:
    """Decibels have no upper bound, so nothing is known of the mean; SSIM has one."""
    encoder = Fake()
    encoder.crops = lambda rows: CROPS // 2  # type: ignore[method-assign]
    encoder.reconstructions = CROPS // 2 + 9
    found = reconstruction(encoder, SETTINGS)  # type: ignore[arg-type]
    assert (found["psnr"]["low"], found["psnr"]["high"]) == (None, None)
    assert found["ssim"]["low"] < found["ssim"]["value"] < found["ssim"]["high"] <= 1


def test_reconstructions_without_any_error_have_no_finite_psnr() -> None:
    encoder = Fake()
    encoder.reconstructions = CROPS
    found = reconstruction(encoder, SETTINGS)  # type: ignore[arg-type]
    assert found["psnr"] == {"value": None, "reason": "every reconstruction equals its image"}
    assert found["ssim"]["value"] == 1
    assert found["psnr_mean_face"]["value"] > 0


def test_the_planted_attribute_is_found_in_its_dimension_and_the_other_is_said_to_be_impossible() -> None:
    found = measured(Fake(), SETTINGS)  # type: ignore[arg-type]
    assert found.result["probe"]["kind"]["value"] > 0.9
    assert found.result["dimensions"] == {"kind": {"value": 1}}
    assert found.singles["kind"]["strongest"][0]["dimension"] == 1
    assert found.dimensions[0][:2] == ("kind", 1)
    assert found.probes["kind"]["images"] == 36
    assert found.result["probe"]["alone"]["value"] is None
    assert "fewer than two classes" in found.result["probe"]["alone"]["reason"]
    assert set(found.result["probe_null"]) == {"kind"}


def test_embeddings_are_probed_if_they_are_asked_for() -> None:
    other = SimpleNamespace(**{**vars(SETTINGS), "vectors": "embedding", "attributes": ("kind",)})
    found = measured(Fake(), other)  # type: ignore[arg-type]
    assert found.result["probe"]["kind"]["value"] < 0.8
    assert found.singles["kind"]["of"] == 3

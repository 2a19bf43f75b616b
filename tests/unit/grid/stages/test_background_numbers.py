"""A planted study: a network whose prediction depends on the background by a known amount."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from datamodules.crops import CropTable
from grid.stages.background_numbers import BackgroundStudy, _strata
from grid.stages.context import Faces

IMAGES, SIZE, CHANNELS = 60, 8, 8
NUMBERS: dict[str, Any] = {"tau": 0.5, "quantile": 0.8, "permutations": 99, "random_masks": 5, "resamples": 200, "seed": 0}
SETTINGS: Any = SimpleNamespace(**NUMBERS, title="background", fill="gray", images=3, stratum=None, choose=None)
GROUND = (4, 6)  # features of the background
REGION = np.zeros((IMAGES, SIZE, SIZE), bool)
REGION[:, 2:6, 2:6] = True


class Planted(nn.Module):
    """Channels 4 and 6 are the color at the border, which encodes the class; the others are the colors in the middle."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        border, middle = images[:, :, 0, :CHANNELS].mean(2), images[:, :, 3:5, 3:5].mean((2, 3))
        found = torch.stack([(middle[:, n % 3] + 1) ** (1 + n / 8) for n in range(CHANNELS)], dim=1)
        found[:, GROUND[0]], found[:, GROUND[1]] = border[:, 0], border[:, 1]
        return found[:, :, None, None]

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.flatten(1)

    def loss_logits(self, embeddings: torch.Tensor) -> torch.Tensor:
        score = 4 * embeddings[:, GROUND[0]] + 0.1 * embeddings[:, 0]
        return torch.stack([-score, score], dim=1)


@pytest.fixture
def study() -> BackgroundStudy:
    generator = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 2
    pixels: Any = generator.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    border = np.where(labels, 190, 60)[:, None] + generator.integers(-50, 50, (IMAGES, 3))
    pixels[~REGION] = np.repeat(border[:, None], SIZE * SIZE - 16, axis=1).reshape(-1, 3)
    network: Any = Planted()
    network.loss = SimpleNamespace(logits=network.loss_logits)
    keys = tuple(f"{number:02d}" for number in range(IMAGES))
    subjects = np.array([f"s{number // 2:02d}" for number in range(IMAGES)])
    faces = Faces(SimpleNamespace(keys=keys), CropTable(pixels, SIZE, np.arange(IMAGES), 0), tuple(subjects))
    choosing, strata = _strata(SETTINGS, None, faces, np.arange(IMAGES), subjects)  # type: ignore[arg-type]
    rows = np.arange(IMAGES)
    return BackgroundStudy(
        network, SETTINGS, "cpu", faces, rows, REGION, "mask", {"identity": labels}, subjects, choosing, strata
    )


def test_exactly_the_planted_features_are_found_on_both_strata_and_none_if_exchanged(study: BackgroundStudy) -> None:
    found = study.result()["features"]
    assert study.about["features"]["chosen"] == list(GROUND)
    assert study.about["features"]["chosen_on_the_other_stratum"] == list(GROUND)
    assert found["chosen"]["value"] == 2
    assert found["confirmed"]["value"] == 1
    assert found["null"]["value"] < 0.1


def test_without_the_background_the_confidence_falls_and_predictions_change(study: BackgroundStudy) -> None:
    found = study.result()
    assert found["rises"]["identity"]["value"] < 0.1
    assert found["mean_fall"]["identity"]["value"] > 0.3
    assert 0.3 < found["flips"]["identity"]["value"] < 0.7
    assert found["background_alone"]["identity"]["value"] > 0.95


def test_the_mask_removes_what_a_random_mask_rarely_does(study: BackgroundStudy) -> None:
    study.result()
    for stratum in study.strata:
        found = study.about["masked"][stratum]["identity"]
        assert found["mask"]["value"] < -0.3
        assert found["mask"]["high"] < -0.1
        assert found["random"]["value"] > found["mask"]["value"] + 0.1
        assert found["confidence"]["value"] < -0.2


def test_without_chosen_features_there_is_no_mask_and_so_no_effect(study: BackgroundStudy) -> None:
    study.crops["background"][:] = 128  # the backgrounds are the same everywhere, so no feature shows them
    found = study.result()
    assert found["features"]["chosen"]["value"] == 0
    assert (
        found["masked"]["identity"]
        == found["randomly_masked"]["identity"]
        == {"value": None, "reason": "no feature was chosen"}
    )
    assert study.about["masked"] == {}


def test_the_mask_zeroes_the_features_before_the_head(study: BackgroundStudy) -> None:
    keep = ~np.isin(np.arange(CHANNELS), GROUND)
    seen = study.scores("whole", keep)["identity"]
    score = 0.1 * study.features["whole"][:, 0, 0, 0].double()
    np.testing.assert_allclose(seen, torch.stack([-score, score], 1).softmax(1).numpy(), atol=1e-6)


def test_faces_and_backgrounds_are_cut_at_the_region(study: BackgroundStudy) -> None:
    whole, face, ground = (study.crops[view] for view in ("whole", "face", "background"))
    assert (face[~REGION] == 128).all()
    assert (ground[REGION] == 128).all()
    assert np.array_equal(face[REGION], whole[REGION])
    assert np.array_equal(ground[~REGION], whole[~REGION])


def test_the_halves_are_of_different_subjects(study: BackgroundStudy) -> None:
    assert not set(study.subjects[study.choosing]) & set(study.subjects[~study.choosing])
    assert study.choosing.sum() == IMAGES // 2


@pytest.mark.parametrize(
    ("choose", "said"),
    [
        ("z", r"stage background: kind has no class 'z'.* \(known: x, y\)"),
        ("y", "stratum y has 0 of 60 images; three on either side"),
    ],
)
def test_a_stratum_must_exist_and_have_images(study: BackgroundStudy, choose: str, said: str) -> None:
    column = SimpleNamespace(values=np.zeros(IMAGES, np.int64), classes=("x", "y"))
    training: Any = SimpleNamespace(data=SimpleNamespace(columns=lambda manifest: {"kind": column}))
    settings = SimpleNamespace(**{**vars(SETTINGS), "stratum": "kind", "choose": choose})
    with pytest.raises(ValueError, match=said):
        _strata(settings, training, study.faces, study.rows, study.subjects)

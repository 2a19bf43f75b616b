"""Planted studies: networks whose predictions depend on the background by a known amount, as a color or as a texture."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from datamodules.crops import CropTable
from grid.stages.background_numbers import BackgroundStudy, _strata
from grid.stages.context import Faces
from modules.latent.background_features import background_features

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


def study_of(network: Any, pixels: np.ndarray, regions: np.ndarray, labels: np.ndarray) -> BackgroundStudy:
    """Every two images are of one subject."""
    count, size = pixels.shape[:2]
    rows, keys = np.arange(count), tuple(f"{number:03d}" for number in range(count))
    subjects = np.array([f"s{number // 2:03d}" for number in range(count)])
    faces = Faces(SimpleNamespace(keys=keys), CropTable(pixels, size, rows, 0), tuple(subjects))
    choosing, strata = _strata(SETTINGS, None, faces, rows, subjects)  # type: ignore[arg-type]
    return BackgroundStudy(
        network, SETTINGS, "cpu", faces, rows, regions, "mask", {"identity": labels}, subjects, choosing, strata, {}
    )


@pytest.fixture
def study() -> BackgroundStudy:
    generator = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 2
    pixels: Any = generator.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    border = np.where(labels, 190, 60)[:, None] + generator.integers(-50, 50, (IMAGES, 3))
    pixels[~REGION] = np.repeat(border[:, None], SIZE * SIZE - 16, axis=1).reshape(-1, 3)
    network: Any = Planted()
    network.loss = SimpleNamespace(logits=network.loss_logits)
    return study_of(network, pixels, REGION, labels)


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


@pytest.mark.parametrize("known", ["choosing", "no"])
def test_a_target_that_is_unknown_for_all_images_of_a_stratum_has_no_numbers_there(study: BackgroundStudy, known: str) -> None:
    study.labels["kind"] = np.where(study.choosing & (known == "choosing"), study.labels["identity"], -1)
    found = study.result()
    assert found["features"]["chosen"]["value"] == len(GROUND)
    none = {"value": None, "reason": "no image"}
    assert found["masked"]["kind"] == found["randomly_masked"]["kind"] == none
    assert found["masked"]["identity"]["value"] is not None
    assert (found["rises"]["kind"] == found["mean_fall"]["kind"] == found["background_alone"]["kind"] == none) == (
        known == "no"
    )


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
        ("y", "stratum y has 0 subjects, and 30 are in the other; each needs three"),
    ],
)
def test_a_stratum_must_exist_and_have_images(study: BackgroundStudy, choose: str, said: str) -> None:
    column = SimpleNamespace(values=np.zeros(IMAGES, np.int64), classes=("x", "y"))
    training: Any = SimpleNamespace(data=SimpleNamespace(columns=lambda manifest: {"kind": column}))
    settings = SimpleNamespace(**{**vars(SETTINGS), "stratum": "kind", "choose": choose})
    with pytest.raises(ValueError, match=said):
        _strata(settings, training, study.faces, study.rows, study.subjects)


class Trained(nn.Module):
    """Even features are energies of filters around a face, odd ones on the face; the classifier has all."""

    def __init__(self, face: np.ndarray) -> None:
        super().__init__()
        self.around, self.inside, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Sequential(Average(), nn.Linear(8, 2))
        self.face = torch.from_numpy(face.astype(np.float32))
        self.loss = SimpleNamespace(logits=lambda embeddings: embeddings)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        energies = [self.around(images * (1 - self.face)).abs(), self.inside(images * self.face).abs()]
        return torch.stack(energies, 2).flatten(1, 2)


class Average(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.mean((2, 3))


def striped(count: int, size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, size, size, 3) of noise with stripes around it, lying for class 0 and upright for class 1, of any phase,
    contrast and color: only the direction tells the class."""
    labels = np.arange(count) % 2
    noise = generator.normal(128, 40, (count, size, size, 3)) + generator.normal(0, 25, (count, 1, 1, 3))
    place = np.arange(size)[None] + generator.integers(0, 4, (count, 1))
    waves = np.where(place % 4 < 2, 1.0, -1.0) * generator.uniform(20, 60, (count, 1))
    lying = np.broadcast_to(waves[:, :, None], (count, size, size))
    stripes = np.where(labels[:, None, None], lying.transpose(0, 2, 1), lying)[..., None] + generator.normal(
        128, 25, (count, 1, 1, 3)
    )
    face = middle(size)[None, :, :, None]
    return np.clip(np.where(face, noise, stripes), 0, 255).astype(np.uint8), labels


def middle(size: int) -> np.ndarray:
    found = np.zeros((size, size), bool)
    found[size // 4 : -size // 4, size // 4 : -size // 4] = True
    return found


@pytest.fixture(scope="module")
def trained() -> BackgroundStudy:
    """A network trained on 200 images, and a study of 120 others."""
    size, generator = 16, np.random.default_rng(0)
    torch.manual_seed(0)
    network = Trained(middle(size))
    images, labels = striped(200, size, generator)
    given, wanted = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network.head(network.features(given)), wanted).backward()
        optimizer.step()
    pixels, labels = striped(120, size, generator)
    return study_of(network.eval(), pixels, np.broadcast_to(middle(size), (120, size, size)), labels)


def test_of_a_trained_network_exactly_the_features_of_the_texture_are_found(trained: BackgroundStudy) -> None:
    found = trained.result()
    assert (trained.whole["identity"].argmax(1) == trained.labels["identity"]).mean() > 0.95
    assert trained.about["features"]["chosen"] == [0, 2, 4, 6]
    assert trained.about["features"]["chosen_on_the_other_stratum"] == [0, 2, 4, 6]
    assert found["features"]["null"]["value"] < 0.1
    assert found["background_alone"]["identity"]["value"] > 0.95
    assert found["masked"]["identity"]["value"] < -0.3
    assert found["masked"]["identity"]["high"] < -0.2


def test_exchanged_textures_show_no_feature(trained: BackgroundStudy) -> None:
    order = np.random.default_rng(1).permutation(len(trained.rows))
    full, alone = (trained.features[view].mean((2, 3)).double().numpy() for view in ("whole", "background"))
    settings = {"tau": SETTINGS.tau, "quantile": SETTINGS.quantile, "permutations": SETTINGS.permutations, "seed": 0}
    assert np.flatnonzero(background_features(full, alone, trained.subjects, **settings).chosen).tolist() == [0, 2, 4, 6]
    assert not background_features(full, alone[order], trained.subjects, **settings).chosen.any()

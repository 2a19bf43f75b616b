"""The pictures of a study: the ends of an interpolation are the plain reconstructions; a traversal passes the face itself."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from datamodules.crops import CropTable
from grid.stages.context import Faces
from grid.stages.held_out import Studied
from grid.stages.latent_figures import (
    PATHS,
    drawn,
    gallery_png,
    interpolations,
    maps_of,
    path_images,
    strongest_channels,
    traversal_png,
)
from grid.stages.latent_numbers import Numbers
from grid.stages.latent_space import Encoder
from modules.decoders.unet import UnetConfig

IMAGES, SIZE = 12, 16
NUMBERS: dict[str, Any] = {"images": 4, "pairs": 1, "steps": 5, "frames": 4, "reach": 2.0, "perplexity": 3.0, "seed": 0}
SETTINGS = SimpleNamespace(**NUMBERS, title="latent", vectors="pooled", channels=(), attributes=("kind",))


class Net(nn.Module):
    """A convolution, a mean, and a U-Net decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 6, 4, 4)
        self.decoder = UnetConfig(width=4).build(6, 4, 4, SIZE)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.body(images)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.flatten(1)[:, :5]


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    network: Any = Net()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(0.01)  # signals as after some training
    pixels: Any = np.random.default_rng(0).integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    keys = tuple(f"{number:02d}" for number in range(IMAGES))
    faces = Faces(SimpleNamespace(keys=keys), CropTable(pixels, SIZE, np.arange(IMAGES), 0), tuple("aabbccddeeff"))
    column = SimpleNamespace(values=np.arange(IMAGES) % 2, classes=("x", "y"), known=np.arange(IMAGES) > 0)
    return Encoder(network.eval(), faces, Studied(np.arange(IMAGES), True), {"kind": column}, "cpu")


@pytest.mark.parametrize("name", PATHS)
def test_the_ends_of_an_interpolation_are_the_plain_reconstructions(encoder: Encoder, name: str) -> None:
    found = path_images(encoder, 3, 8, 7, PATHS[name])
    plain = encoder.images(encoder.codes([3, 8]))
    assert np.array_equal(found[0], plain[0])
    assert np.array_equal(found[-1], plain[1])
    assert not np.array_equal(found[3], plain[0])
    assert np.array_equal(plain[0], encoder.images(encoder.codes([3]))[0])  # alone or with others
    close = np.abs(plain.astype(int) - encoder.reconstructions[[3, 8]]).max()
    assert close <= 1  # the reconstructions that are measured were decoded in batches


def test_a_strip_and_an_animation_for_each_path(encoder: Encoder) -> None:
    assert set(interpolations(encoder, [0, 2, 4], SETTINGS)) == {
        f"interpolation-{n}.{k}" for n in PATHS for k in ("png", "gif")
    }


def test_the_middle_of_a_traversal_is_the_face_itself(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("grid.stages.latent_figures.tiles_png", lambda rows, heading: shown.extend(rows) or b"")
    traversal_png(encoder, 5, [(2, "most of kind"), (4, "")], SETTINGS)
    plain = encoder.images(encoder.codes([5]))[0]
    assert [row.title for row in shown] == ["channel 2\nmost of kind", "channel 4"]
    for row in shown:
        assert np.array_equal(row.tiles[2], plain)
        assert not np.array_equal(row.tiles[0], plain)
    assert shown[0].captions == ["-2.0 sd", "-1.0 sd", "+0.0 sd", "+1.0 sd", "+2.0 sd"]


def test_a_channel_that_does_not_exist_is_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="stage latent: channels names 6, and the code has channels 0 to 5"):
        traversal_png(encoder, 0, [(6, "")], SETTINGS)


def test_the_channels_are_those_of_the_attributes_or_the_most_variable(encoder: Encoder) -> None:
    numbers = Numbers(singles={"kind": {"strongest": [{"dimension": 4}]}})
    assert strongest_channels(encoder, SETTINGS, numbers) == [(4, "most of kind")]
    order = np.argsort(-encoder.pooled.var(axis=0))[:3].tolist()
    assert [channel for channel, _ in strongest_channels(encoder, SETTINGS, Numbers())] == order


def test_the_maps_list_every_image_with_its_attributes(encoder: Encoder) -> None:
    data, points, explained = maps_of(encoder, SETTINGS)
    assert data.startswith(b"\x89PNG")
    assert points[0] == ("key", "identity", "kind", "pca_1", "pca_2", "tsne_1", "tsne_2")
    assert [row[:3] for row in points[1:4]] == [("00", "a", ""), ("01", "a", "y"), ("02", "b", "x")]
    assert 0.3 < sum(explained) <= 1


def test_gallery_and_all_pictures_are_drawn(encoder: Encoder) -> None:
    assert gallery_png(encoder, [0, 2]).startswith(b"\x89PNG")
    shown = drawn(encoder, SETTINGS, Numbers())
    assert len(shown.files) == 7
    assert [encoder.faces.identities[row] for row in shown.gallery] == ["a", "b", "c", "d"]
    assert len(shown.channels) == 3

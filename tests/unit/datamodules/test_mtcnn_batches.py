"""Faces found in batches are those that are found image by image."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from datamodules import mtcnn_batches
from datamodules.detectors.mtcnn import MTCNNConfig
from datamodules.images import read_image
from datamodules.mtcnn import faces
from datamodules.mtcnn_batches import faces_of, groups
from datamodules.mtcnn_networks import Networks

SETTINGS = (20, (0.6, 0.7, 0.7), 0.709)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def networks():
    return Networks(torch.device("cpu"))


def close(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours.boxes) == len(theirs.boxes)
        for one, other, most in zip(ours, theirs, (1e-4, 1e-5, 1e-4), strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max(initial=0) < most


@pytest.fixture(scope="module")
def images(shared):
    """Photographs of one size, parts and pairs of them of other sizes, and images without a face."""
    names = sorted((shared / "data" / "lfw" / "images").iterdir())[::700][:8]
    equal = [read_image(sorted(name.glob("*.jpg"))[0]) for name in names]
    parts = [np.rot90(image[60:190, 60:185], turns).copy() for image, turns in zip(equal[:4], (0, 1, 2, 3), strict=True)]
    odd = [
        image[: 250 - cut, : 250 - more].copy() for image, cut, more in zip(equal, *RNG.integers(0, 50, (2, 8)), strict=True)
    ]
    pairs = [np.concatenate(equal[place : place + 2], axis=1) for place in (0, 4)]
    blank = [np.full((60, 80, 3), 90, np.uint8), np.full((5, 80, 3), 90, np.uint8), np.zeros((250, 250, 3), np.uint8)]
    return [*equal, *parts, *odd, *pairs, *blank]


@pytest.fixture(scope="module")
def alone(networks, images):
    return [faces(networks, image, *SETTINGS) for image in images]


def test_photographs_in_batches_have_the_faces_that_each_has_alone(networks, images, alone):
    assert sum(len(found.boxes) for found in alone) >= 20
    close(faces_of(networks, images, *SETTINGS), alone)


@pytest.mark.parametrize(("pixels", "padded"), [(1, 9.0), (200_000, 1.0), (1 << 24, 9.0)])
def test_faces_do_not_depend_on_order_and_company(networks, images, alone, monkeypatch, pixels, padded):
    monkeypatch.setattr(mtcnn_batches, "PADDED", padded)
    order = RNG.permutation(len(images))[:12]
    real = groups
    monkeypatch.setattr(mtcnn_batches, "groups", lambda sizes: real(sizes, pixels))
    close(faces_of(networks, [images[place] for place in order], *SETTINGS), [alone[place] for place in order])


def test_drawn_faces_of_several_sizes_are_found_as_alone(networks, tmp_path):
    drawn = []
    for size in (64, 97, 160):
        config = resolve("data", {"name": "drawn", "subjects": 2, "shots": 1, "size": size})
        data = config.build(config.manifest(tmp_path) or config.scan(tmp_path))
        drawn += [data.image(row) for row in range(len(data))]
    expected = [faces(networks, image, *SETTINGS) for image in drawn]
    assert sum(len(found.boxes) for found in expected) >= 4
    close(faces_of(networks, drawn, *SETTINGS), expected)


def test_few_faces_a_pass_give_the_same_faces(networks, images, alone, monkeypatch):
    monkeypatch.setattr(mtcnn_batches, "REFINED", 7)
    monkeypatch.setattr(mtcnn_batches, "OUTPUT", 3)
    close(faces_of(networks, images[:3], *SETTINGS), alone[:3])


def test_a_batch_with_a_threshold_of_zero_has_no_windows_in_its_padding(networks, monkeypatch):
    monkeypatch.setattr(mtcnn_batches, "PADDED", 9.0)
    noise = [RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((40, 30), (31, 47), (25, 21))]
    settings = (20, (0.0, 0.0, 0.0), 0.709)
    assert len(list(groups([image.shape[:2] for image in noise]))) == 1
    close(faces_of(networks, noise, *settings), [faces(networks, image, *settings) for image in noise])


def test_the_networks_outputs_are_copied_once_each(networks, images, monkeypatch):
    copies = []
    honest = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda this: (copies.append(this.shape), honest(this))[1])
    faces_of(networks, images[:6], *SETTINGS)  # equal sizes, so one batch
    assert len(copies) == 3


def test_similar_sizes_form_a_batch_within_the_limits():
    sizes = [(250, 250), (100, 90), (250, 240), (100, 90), (4000, 3000), (248, 250)]
    assert list(groups(sizes)) == [[1, 3], [5, 2, 0], [4]]
    assert [sorted(some) for some in groups([(10, 10)] * 5, 250)] == [[0, 1], [2, 3], [4]]
    assert list(groups([(100, 100)], 1)) == [[0]]
    assert list(groups([])) == []


def test_a_detector_on_another_device_than_a_cpu_takes_batches(images, monkeypatch):
    detector = MTCNNConfig().build()
    expected = detector.detect(images[:4])
    seen = []
    monkeypatch.setattr(mtcnn_batches, "groups", lambda sizes: (seen.append(len(sizes)), groups(sizes))[1])
    detector.device = SimpleNamespace(type="cuda")  # the networks are loaded, on the CPU
    found = detector.detect(images[:4])
    assert seen == [4]
    assert all(one.found for one in found)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(np.array(one.box) - other.box).max() < 1e-4
        assert np.abs(np.array(one.landmarks) - other.landmarks).max() < 1e-4

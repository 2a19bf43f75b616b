import os
import random
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from datamodules.augmentations.basic import BasicConfig

IMAGE = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8), (0, 0), 3)


@pytest.fixture(scope="module")
def augment():
    return BasicConfig().build()


def test_an_image_stays_an_image(augment):
    for seed in range(20):
        found = augment(IMAGE, seed)
        assert found.shape == IMAGE.shape
        assert found.dtype == np.uint8


def test_it_is_a_pure_function_of_image_and_seed(augment):
    before = IMAGE.copy()
    once = [augment(IMAGE, seed) for seed in range(20)]
    for seed in reversed(range(20)):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        assert np.array_equal(augment(IMAGE, seed), once[seed])
        assert np.array_equal(BasicConfig().build()(IMAGE, seed), once[seed])
    assert np.array_equal(IMAGE, before)
    assert len({found.tobytes() for found in once}) > 10  # a quarter is at most mirrored


def test_the_changes_are_independent_of_each_other(augment):
    """Of 800 images, an eighth each is not changed at all, and only mirrored: 100, with a standard deviation of 9.4."""
    found = [augment(IMAGE, seed) for seed in range(800)]
    counts = [sum(np.array_equal(one, image) for one in found) for image in (IMAGE, IMAGE[:, ::-1])]
    assert all(abs(count - 100) < 4 * 9.4 for count in counts), counts


def test_the_largest_seed_is_a_seed(augment):
    assert augment(IMAGE, 2**32 - 1).shape == IMAGE.shape


def test_global_random_states_are_left_alone(augment):
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    augment(IMAGE, 3)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002


OFF = {"flip": 0.0, "move": 0.0, "light": 0.0}


def test_with_all_probabilities_zero_nothing_changes():
    assert all(np.array_equal(BasicConfig(**OFF).build()(IMAGE, seed), IMAGE) for seed in range(20))


def test_flip_mirrors():
    assert np.array_equal(BasicConfig(**(OFF | {"flip": 1.0})).build()(IMAGE, 0), IMAGE[:, ::-1])


def test_light_stays_within_its_limits():
    augment = BasicConfig(**(OFF | {"light": 1.0}), contrast=0.0, brightness=0.1).build()
    gray = np.full((8, 8, 3), 128, np.uint8)
    changes = [int(augment(gray, seed)[0, 0, 0]) - 128 for seed in range(100)]
    assert -27 <= min(changes) < -15
    assert 15 < max(changes) <= 27


def test_a_move_is_small():
    augment = BasicConfig(**(OFF | {"move": 1.0}), shift=0.05, scale=0.0, rotate=0.0).build()
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    for seed in range(30):
        y, x = np.unravel_index(augment(dot, seed)[..., 0].argmax(), (41, 41))
        assert max(abs(y - 20), abs(x - 20)) <= 3


def test_building_asks_no_network_and_resolving_imports_nothing_heavy():
    code = (
        "import os, sys; from datamodules.augmentations.basic import BasicConfig; c = BasicConfig(); "
        "assert 'albumentations' not in sys.modules; "
        " c.build(); assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'; "
        "assert 'albumentations' in sys.modules"
    )
    environment = {key: value for key, value in os.environ.items() if key != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == ""
    assert done.stderr == ""

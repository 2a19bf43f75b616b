"""What holds for every augmentation there is."""

import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from configs.lookup import known, resolve
from datamodules.augmentations._base import augmentation_seed, step_seed

ROOT = Path(__file__).resolve().parents[4]
NEEDS = {"pipeline": {"steps": ["flip", "jpeg", "coarse_dropout", "blur", "erase_parts", "rotate", "zoom", "color", "cutout"]}}
EVERY = [{"name": name, **NEEDS.get(name, {})} for name in known("augmentation")]
SEEDS = range(40)


def canvas(height=112, width=96):
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


IMAGE = canvas()


@pytest.fixture(params=EVERY, ids=lambda value: value["name"])
def augment(request):
    return resolve("augmentation", request.param).build()


@pytest.mark.parametrize("shape", [(112, 112), (112, 96), (33, 71), (2, 3)])
def test_bytes_in_and_bytes_out_of_the_same_size(augment, shape):
    image = canvas(*shape)
    before = image.copy()
    for seed in SEEDS:
        found = augment(image, seed)
        assert found.dtype == np.uint8
        assert found.shape == image.shape
    assert np.array_equal(image, before)


def test_it_is_a_pure_function_of_image_and_seed(augment):
    once = [augment(IMAGE, seed).copy() for seed in SEEDS]
    for seed in reversed(SEEDS):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        assert np.array_equal(augment(IMAGE, seed), once[seed])


def test_global_random_states_are_left_alone(augment):
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    augment(IMAGE, 3)
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002


def test_threads_that_share_it_do_not_disturb_each_other(augment):
    seeds = list(SEEDS) * 8
    once = [augment(IMAGE, seed).tobytes() for seed in seeds]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda seed: augment(IMAGE, seed).tobytes(), seeds)) == once
    finally:
        sys.setswitchinterval(before)


def test_the_number_of_opencvs_threads_does_not_matter(augment):
    large, before, found = canvas(448, 400), cv2.getNumThreads(), []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found.append([augment(large, seed).tobytes() for seed in range(8)])
    finally:
        cv2.setNumThreads(before)
    assert found[0] == found[1]


def test_a_pickled_one_does_the_same(augment):
    augment(IMAGE, 0)
    other = pickle.loads(pickle.dumps(augment))
    assert all(np.array_equal(other(IMAGE, seed), augment(IMAGE, seed)) for seed in SEEDS)


PROGRAM = """
import hashlib, json, os, socket, sys
def refuse(*args, **more): os._exit(9)
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from configs.lookup import resolve
configs = [resolve("augmentation", value) for value in json.loads(sys.argv[1])]
assert "albumentations" not in sys.modules and "cv2" not in sys.modules, "resolving must not build"
built = [config.build() for config in configs]
import numpy as np
image = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(112, 96, 3)
print(json.dumps([[hashlib.sha256(one(image, seed).tobytes()).hexdigest() for seed in range(40)] for one in built]))
"""


def test_another_process_gives_the_same_bytes_and_asks_no_network():
    environment = {key: value for key, value in os.environ.items() if key != "NO_ALBUMENTATIONS_UPDATE"}
    command = [sys.executable, "-W", "error::UserWarning", "-c", PROGRAM, json.dumps(EVERY)]
    done = subprocess.run(
        command, input=IMAGE.tobytes(), capture_output=True, cwd=ROOT, env=environment | {"PYTHONHASHSEED": "7"}, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    for value, digests in zip(EVERY, json.loads(done.stdout), strict=True):
        augment = resolve("augmentation", value).build()
        assert [hashlib.sha256(augment(IMAGE, seed).tobytes()).hexdigest() for seed in SEEDS] == digests, value


@pytest.mark.parametrize("name", sorted(set(known("augmentation")) - {"none", "basic", "batch", "pipeline"}))
@pytest.mark.parametrize(("probability", "changed"), [(0.0, 0), (1.0, 40)])
def test_a_probability_reaches_never_and_always(name, probability, changed):
    augment = resolve("augmentation", {"name": name, "probability": probability}).build()
    assert sum(not np.array_equal(augment(IMAGE, seed), IMAGE) for seed in SEEDS) == changed


@pytest.mark.parametrize("name", sorted(set(known("augmentation")) - {"none", "basic", "batch", "pipeline"}))
def test_a_probability_is_a_share_of_the_images(name):
    augment = resolve("augmentation", {"name": name, "probability": 0.3}).build()
    assert 38 < sum(not np.array_equal(augment(IMAGE, seed), IMAGE) for seed in range(200)) < 82  # 3.4 standard deviations


@pytest.mark.parametrize(
    "value",
    [
        {"name": "jpeg", "quality": [80, 30]},
        {"name": "coarse_dropout", "holes": [3, 1]},
        {"name": "coarse_dropout", "side": [0.2, 0.1]},
        {"name": "blur", "sigma": [2, 1]},
        {"name": "zoom", "factor": [1.2, 0.8]},
    ],
    ids=lambda value: f"{value['name']}-{list(value)[1]}",
)
def test_a_range_upside_down_is_refused(value):
    with pytest.raises(ValueError, match="the lower end comes first"):
        resolve("augmentation", value)


def test_seeds_differ_in_each_of_their_numbers():
    numbers = [(a, b) for a in (0, 1, 2, 11) for b in (0, 1, 2, 12)]
    assert len({step_seed(*pair) for pair in numbers}) == len(numbers)
    assert len({augmentation_seed(seed, *pair) for pair in numbers for seed in (1, 11)}) == 2 * len(numbers)
    assert all(0 <= step_seed(*pair) < 2**32 for pair in numbers)

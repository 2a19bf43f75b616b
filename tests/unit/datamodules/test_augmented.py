"""What an augmentation of one's own may return, and the line that says what else it returned."""

from typing import Any

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from datamodules.augmented import applied, augmented, prepared

IMAGE = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
PARAMETERS = np.zeros(2, np.float32)


class Own:
    """A batch augmentation whose parts return what a test wants."""

    __module__ = "mylab.warp"

    def __init__(self, prepared: Any = None, applied: Any = None) -> None:
        self.prepared, self.applied = prepared, applied

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        return image

    def prepare(self, image: np.ndarray, seed: int) -> Any:
        return self.prepared

    def apply(self, images: torch.Tensor, parameters: torch.Tensor) -> Any:
        return self.applied


def test_what_is_right_is_passed_on() -> None:
    batch, flip = resolve("augmentation", "batch").build(), resolve("augmentation", "flip").build()  # type: ignore[attr-defined]
    assert np.array_equal(augmented(flip, IMAGE, 3), flip(IMAGE, 3))
    image, parameters = prepared(batch, IMAGE, 3)
    assert image is IMAGE
    found = applied(batch, torch.from_numpy(image)[None], torch.from_numpy(parameters)[None])
    assert np.array_equal(found[0], batch(IMAGE, 3))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "prepare returned None; expected a tuple of an image and its parameters"),
        ((IMAGE,), "prepare returned a tuple of length 1; expected a tuple of an image and its parameters"),
        (
            (IMAGE[1:], PARAMETERS),
            r"prepare returned the image ndarray uint8 \(5, 5, 3\); expected a numpy array uint8 \(6, 5, 3\)",
        ),
        ((IMAGE, [0.5]), r"prepare returned the parameters a list of length 1; expected a numpy array float32 \(P,\)"),
        ((IMAGE, PARAMETERS.astype(float)), r"prepare returned the parameters ndarray float64 \(2,\); expected"),
        ((IMAGE, PARAMETERS[None]), r"prepare returned the parameters ndarray float32 \(1, 2\); expected"),
    ],
)
def test_a_wrong_part_of_the_loader_is_named(found: Any, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^augmentation 'mylab.warp': {said}.*see docs/extending/augmentation.md$"):
        prepared(Own(found), IMAGE, 0)


@pytest.mark.parametrize("found", [None, torch.zeros(2, 6, 5, 3), torch.zeros(1, 6, 5, 3, dtype=torch.uint8)])
def test_a_wrong_part_of_the_device_is_named(found: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^augmentation 'mylab.warp': apply returned .*; expected a tensor uint8 \(2, 6, 5, 3\)"
    ):
        applied(Own(applied=found), torch.zeros(2, 6, 5, 3, dtype=torch.uint8), torch.zeros(2, 2))

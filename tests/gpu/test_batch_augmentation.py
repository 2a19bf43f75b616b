"""A batch that is augmented on the device: against the CPU, against each image alone, and without waiting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_synchronization import unsynchronized
from training_runs import differing, faces, recognizer, train

from configs.lookup import resolve

# The largest difference to the CPU in gray levels, and the share of values that may have one. On the CPU, moves of noise in
# float32 and in float64 differ by one level in up to 0.0003 of the values.
LEVELS, SHARE = 1, 0.002
ALWAYS = {"flip": 1.0, "move": 1.0, "light": 1.0, "gray": 1.0, "erase": 1.0}
OFF: dict[str, Any] = dict.fromkeys(ALWAYS, 0.0)
CASES: dict[str, dict[str, Any]] = {
    **{name: {**OFF, name: 1.0} for name in ALWAYS},
    "large moves": {**OFF, "move": 1.0, "shift": 0.4, "scale": 0.5, "rotate": 180.0},
    "some of all": dict.fromkeys(ALWAYS, 0.5),
    "defaults": {},
}
BATCH = {"name": "batch", "gray": 0.3, "erase": 0.5}


def batch(count: int, height: int, width: int, **fields: Any) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """The augmentation, images of noise and their parameters."""
    built: Any = resolve("augmentation", {"name": "batch", **fields}).build()  # type: ignore[attr-defined]
    pixels = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)
    return built, torch.from_numpy(pixels), torch.from_numpy(np.stack([built.draw(seed) for seed in range(count)]))


@pytest.mark.parametrize("shape", [(112, 112), (112, 96), (33, 71)], ids=str)
@pytest.mark.parametrize("title", CASES)
def test_it_is_that_of_the_cpu_up_to_a_gray_level(device: str, title: str, shape: tuple[int, int]) -> None:
    built, pixels, parameters = batch(64, *shape, **CASES[title])
    here = built.apply(pixels, parameters)
    there = built.apply(pixels.to(device), parameters.to(device)).cpu()
    difference = (here.int() - there.int()).abs()
    assert int(difference.max()) <= LEVELS
    assert float((difference > 0).float().mean()) <= SHARE
    assert not torch.equal(there, pixels)


def test_an_image_has_the_same_bits_in_every_batch(device: str) -> None:
    built, pixels, parameters = (
        one.to(device) if isinstance(one, torch.Tensor) else one for one in batch(65, 112, 112, **BATCH)
    )
    whole = built.apply(pixels, parameters)
    for rows in ([64], [3, 0], list(range(33))):
        assert torch.equal(built.apply(pixels[rows], parameters[rows]), whole[rows])


def test_from_pinned_memory_to_images_nothing_waits(cuda: str) -> None:
    data = faces(4, 112, augmentation=BATCH)
    batches = [[part.pin_memory() for part in one] for one in data.batches_here()]
    assert len(batches) == 4
    assert len(batches[0]) == 4

    def ready(parts: list[torch.Tensor]) -> torch.Tensor:
        images: torch.Tensor = data.on_after_batch_transfer([part.to(cuda, non_blocking=True) for part in parts], 0)[0]
        return images

    ready(batches[0])
    with unsynchronized():
        found = [ready(parts) for parts in batches[1:]]
    assert all(image.shape == (8, 3, 112, 112) for image in found)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_training_has_the_same_bits_twice_and_with_loader_processes(accelerator: str, precision: str) -> None:
    found = []
    for workers, augmentation in ((0, BATCH), (0, BATCH), (2, BATCH), (0, "none")):
        data = faces(4, 64, workers=workers, augmentation=augmentation)
        found.append(train(recognizer(data, "mobilenetv3_small"), data, accelerator, precision))
    assert [differing(found[0], other) for other in found[1:3]] == [[], []]
    assert differing(found[0], found[3]), "the augmentation matters"

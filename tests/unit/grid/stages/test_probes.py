"""Probes that are named by their keys."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grid.stages.probes import image_probes, rows_named

KEYS = tuple(f"subject{n // 3}/{n:02d}.png" for n in range(12))


def faces(dropped: tuple[int, ...] = ()) -> Any:
    crops = np.arange(12, dtype=np.uint8)[:, None, None, None].repeat(3, 3)

    class Table:
        kept = np.delete(np.arange(12), list(dropped))

        def __getitem__(self, row: int) -> np.ndarray:
            return crops[row]

    identities = tuple(key.partition("/")[0] for key in KEYS)
    return SimpleNamespace(manifest=SimpleNamespace(keys=KEYS), identities=identities, crops=Table())


def test_named_images_come_in_the_order_of_their_names() -> None:
    labels = np.arange(12) // 3
    found = image_probes(faces(), labels, [0], 8, (KEYS[7], KEYS[2]))
    assert found.keys == [KEYS[7], KEYS[2]]
    assert (found.identities, found.labels.tolist()) == (["subject2", "subject0"], [2, 0])
    assert found.crops[:, 0, 0, 0].tolist() == [7, 2]


def test_without_names_they_are_validation_images_of_different_subjects() -> None:
    found = image_probes(faces(), np.arange(12) // 3, [0, 1, 4, 5, 9], 8)
    assert sorted(found.identities) == ["subject0", "subject1", "subject3"]


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"the data: no image 'subject1/3.png' among 12 \(nearest: subject1/03.png, "):
        rows_named(KEYS, [KEYS[0], "subject1/3.png"], "the data")


def test_a_face_that_the_detector_drops_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no face was found in subject0/02.png, and the detector's policy is to drop"):
        image_probes(faces(dropped=(2,)), np.zeros(12, int), [0], 8, (KEYS[7], KEYS[2]))

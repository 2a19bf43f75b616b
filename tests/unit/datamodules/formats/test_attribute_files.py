"""Parts and subsamples of a dataset of labeled files."""

import math
from pathlib import Path
from typing import Any

import pytest

from datamodules.datasets.utkface import UTKFaceDatasetConfig

KEYS = [f"{number}.jpg" for number in range(200)]
LABELS: dict[str, list[str | None]] = {"race": ["Indian" if number % 2 else "White" for number in range(200)]}


def chosen(keys: list[str] = KEYS, **settings: Any) -> list[str]:
    return UTKFaceDatasetConfig(root=Path("none"), **settings).chosen(keys, LABELS)


def test_the_parts_are_disjoint_and_together_everything() -> None:
    fit, held = chosen(part="fit"), chosen(part="held_out")
    assert sorted([*fit, *held]) == sorted(KEYS)
    assert len(held) == 40
    assert chosen() == KEYS
    assert set(chosen(part="held_out", held_share=0.1)) < set(held)
    assert set(chosen(part="held_out", held_seed=1)) != set(held)


def test_a_subsample_keeps_a_share_of_a_class_and_all_of_the_others() -> None:
    found = chosen(subsample={"race": {"Indian": 0.1}})
    kept = [LABELS["race"][KEYS.index(key)] for key in found]
    assert (kept.count("Indian"), kept.count("White")) == (10, 100)
    assert set(found) < set(chosen(subsample={"race": {"Indian": 0.3}}))
    assert not [key for key in chosen(subsample={"race": {"Indian": 0.0}}) if int(key[:-4]) % 2]


@pytest.mark.parametrize(("share", "count"), [(0.07, 14), (0.035, 7), (0.036, 8), (0.1, 20)])
def test_shares_that_are_a_whole_number_of_images_are_exact(share: float, count: int) -> None:
    assert len(chosen(part="held_out", held_share=share)) == count
    assert len(chosen(subsample={"race": {"Indian": 0.55, "White": share}})) == 55 + math.ceil(count / 2)


def test_a_subsample_of_a_part_leaves_the_other_part_as_it_is() -> None:
    held = chosen(part="held_out")
    fit = chosen(part="fit", subsample={"race": {"Indian": 0.1}})
    assert not set(fit) & set(held)
    indian = [key for key in chosen(part="fit") if int(key[:-4]) % 2]
    assert len([key for key in fit if int(key[:-4]) % 2]) == math.ceil(0.1 * len(indian)) < 10  # of the part, not of all
    assert chosen(part="held_out", subsample={"race": {"White": 1.0}}) == held


@pytest.mark.parametrize(
    ("subsample", "error"),
    [
        ({"race": {"Martian": 0.1}}, r"subsample.race: no image has the class 'Martian' \(known: Indian, White\)"),
        ({"hair": {"red": 0.1}}, r"subsample: utkface has no column 'hair' \(known: race\)"),
        ({"race": {"Indian": 1.5}}, "less than or equal to 1"),
    ],
)
def test_a_subsample_of_nothing_is_an_error(subsample: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        chosen(subsample=subsample)

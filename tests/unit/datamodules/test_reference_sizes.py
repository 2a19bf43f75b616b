"""A copy that has fewer images than the published set is not whole."""

from pathlib import Path

import pytest

from configs.lookup import known, resolve
from datamodules.manifest import Manifest
from datamodules.reference_sizes import COUNTS, HARMLESS, absent, published

ROOT = Path("somewhere")


def manifest(images: int, subjects: int, skipped: int = 0) -> Manifest:
    keys, who = [f"{n}.jpg" for n in range(images)], [str(n % subjects) for n in range(images)]
    bad = {f"bad{n}.jpg": "empty" for n in range(skipped)}
    return Manifest(keys, who, [1] * images, [1] * images, [""] * images, bad)


def test_every_count_is_of_a_dataset_and_a_part_that_exist() -> None:
    for name, part in COUNTS:
        assert name in known("data")
        field = {"vggface2": "split", "fairface": "split", "ijb": "set"}.get(name)
        data = resolve("data", {"name": name, "root": ROOT, **({field: part} if field else {})})
        assert published(data) == COUNTS[name, part]


def test_absent_images_and_subjects_are_counted() -> None:
    data = resolve("data", {"name": "cfp", "root": ROOT})
    assert absent(data, manifest(7000, 500)) == {}
    assert absent(data, manifest(6999, 499)) == {
        "images": "only 6,999 of the 7,000 that the set has",
        "subjects": "only 499 of the 500 that the set has",
    }


def test_an_image_that_cannot_be_read_is_not_absent() -> None:
    data = resolve("data", {"name": "cfp", "root": ROOT})
    assert absent(data, manifest(6998, 499, skipped=2)) == {}
    assert list(absent(data, manifest(6997, 499, skipped=2))) == ["images"]


@pytest.mark.parametrize(
    "part",
    [{"min_images": 2}, {"exclude": ["view1_test"]}, {"only": "view2"}],
)
def test_settings_that_take_a_part_have_no_count(part: dict[str, object]) -> None:
    assert published(resolve("data", {"name": "lfw", "root": ROOT, **part})) is None
    assert published(resolve("data", {"name": "lfw", "root": ROOT, "on_bad_image": "skip"})) == (13_233, 5_749)


def test_sets_that_nobody_counts_are_what_they_are() -> None:
    assert published(resolve("data", {"name": "folder", "root": ROOT})) is None
    assert absent(resolve("data", "drawn"), manifest(1, 1)) == {}


def test_harmless_fields_take_no_image_away() -> None:
    """A field that is added to a dataset and says which images count is not among them."""
    assert HARMLESS.isdisjoint({"subjects", "min_images", "only", "exclude", "part", "held_share"})

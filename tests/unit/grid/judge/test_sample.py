"""A few pairs for trying preprocessing."""

from pathlib import Path
from typing import Any

import ijb_folder
import numpy as np
import pytest

from configs.lookup import resolve
from grid.judge.sample import Sample, _pairs
from grid.plan.inputs import InputResolver


@pytest.mark.parametrize(
    "protocol",
    [
        {"name": "drawn", "subjects": 12, "shots": 4, "folds": 4, "pairs_per_fold": 12},
        {"name": "clustering", "data": {"name": "drawn", "subjects": 12, "shots": 4}},
    ],
)
def test_pairs_of_both_kinds_show_what_they_say(protocol: dict[str, Any], tmp_path: Path) -> None:
    config: Any = resolve("protocol", protocol)
    sample = Sample(config, InputResolver(tmp_path), genuine=6, impostor=4)
    who = np.array([key.split("/")[0] for key in sample._keys])
    assert 8 <= len(who) <= 20, "images may be in several of the ten pairs"
    assert np.array_equal(sample.subjects[:, None] == sample.subjects, who[:, None] == who)
    crops = sample.crops("none", (40, 32))
    assert crops.shape == (len(who), 40, 32, 3)
    assert len({crop.tobytes() for crop in crops}) == len(who)
    again = Sample(config, InputResolver(tmp_path), genuine=6, impostor=4)
    assert again._keys == sample._keys
    assert len(Sample(config, InputResolver(tmp_path))._keys) > len(who), "all pairs, as there are fewer than are asked for"


def test_genuine_pairs_link_the_images_of_subjects_without_names(tmp_path: Path) -> None:
    """IJB's lists name templates: every listed genuine pair says that two of them are of one subject."""
    ijb_folder.write(tmp_path / "ijb", "ijbb")
    protocol: Any = resolve("protocol", {"name": "ijb", "set": "ijbb", "root": str(tmp_path / "ijb")})
    resolver = InputResolver(tmp_path / "store")
    resolver.scan(protocol.dataset())
    manifest = resolver.manifest(protocol.dataset())
    one, other, same = _pairs(protocol, manifest)
    sample = Sample(protocol, resolver)
    subject = dict(zip(sample._keys, sample.subjects, strict=True))
    for left, right, kind in zip(one, other, same, strict=True):
        assert (subject[manifest.keys[left]] == subject[manifest.keys[right]]) == kind
    assert len(set(sample.subjects)) < len({manifest.identities[row] for row in {*one, *other}}), "templates of one subject"


def test_a_protocol_of_one_kind_of_pairs_is_named(tmp_path: Path) -> None:
    protocol: Any = resolve("protocol", {"name": "drawn", "subjects": 12, "shots": 4, "folds": 4, "pairs_per_fold": 12})
    with pytest.raises(ValueError, match=f"{protocol.title}: needs pairs of one subject and of two"):
        Sample(protocol, InputResolver(tmp_path), genuine=0, impostor=1)


def test_faces_of_a_list_are_those_that_a_detector_did_not_find(tmp_path: Path) -> None:
    ijb_folder.write(tmp_path / "ijb", "ijbb")
    protocol: Any = resolve("protocol", {"name": "ijb", "set": "ijbb", "root": str(tmp_path / "ijb")})
    resolver = InputResolver(tmp_path / "store")
    resolver.scan(protocol.dataset())
    sample = Sample(protocol, resolver, genuine=6, impostor=6)
    assert sample.listed
    listed, found = (sample.crops(faces, 48) for faces in ("listed", "similarity"))
    assert not np.array_equal(listed, found)
    points = protocol.dataset().detections(resolver.manifest(protocol.dataset()))
    aligned: Any = resolve("detector", {"name": "mtcnn", "alignment": "similarity"}).build()  # type: ignore[attr-defined]
    for image, key, crop in zip(sample.images, sample._keys, listed, strict=True):
        assert np.array_equal(crop, aligned.crop(image, points.row(key), 48))

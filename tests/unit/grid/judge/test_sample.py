"""A few pairs for trying preprocessing."""

from pathlib import Path
from typing import Any

import ijb_folder
import numpy as np
import pytest

from configs.lookup import resolve
from grid.judge.sample import Sample
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
    sample = Sample(config, InputResolver(tmp_path), count=6)
    assert (sample.same.sum(), (~sample.same).sum()) == (6, 6)
    who = [key.split("/")[0] for key in sample._keys]
    for left, right, same in zip(sample.left, sample.right, sample.same, strict=True):
        assert (who[left] == who[right]) == same
    crops = sample.crops("none", (40, 32))
    assert crops.shape == (len(who), 40, 32, 3)
    assert len({crop.tobytes() for crop in crops}) == len(who)
    again = Sample(config, InputResolver(tmp_path), count=6)
    assert np.array_equal(again.left, sample.left)


def test_faces_of_a_list_are_those_that_a_detector_did_not_find(tmp_path: Path) -> None:
    ijb_folder.write(tmp_path / "ijb", "ijbb")
    protocol: Any = resolve("protocol", {"name": "ijb", "set": "ijbb", "root": str(tmp_path / "ijb")})
    resolver = InputResolver(tmp_path / "store")
    resolver.scan(protocol.dataset())
    sample = Sample(protocol, resolver, count=6)
    assert sample.listed
    listed, found = (sample.crops(faces, 48) for faces in ("listed", "similarity"))
    assert not np.array_equal(listed, found)
    points = protocol.dataset().detections(resolver.manifest(protocol.dataset()))
    aligned: Any = resolve("detector", {"name": "mtcnn", "alignment": "similarity"}).build()  # type: ignore[attr-defined]
    for image, key, crop in zip(sample.images, sample._keys, listed, strict=True):
        assert np.array_equal(crop, aligned.crop(image, points.row(key), 48))

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from configs.lookup import resolve
from datamodules.protocols.attributes import AttributesProtocolConfig


def protocol(data: Any, **settings: Any) -> AttributesProtocolConfig:
    found = resolve("protocol", {"name": "attributes", "data": data, **settings})
    assert isinstance(found, AttributesProtocolConfig)
    return found


def test_all_images_are_asked_with_all_columns_and_the_subjects_that_are_known() -> None:
    asking = protocol({"name": "drawn", "subjects": 3, "shots": 2})
    manifest = asking.dataset().manifest(Path())
    assert manifest is not None
    found = asking.asked(manifest)
    assert found.rows.tolist() == list(range(6))
    assert set(found.columns) == {"age", "age_years", "gender"}
    assert found.subjects is not None
    assert len(set(found.subjects.tolist())) == 3
    assert [manifest.identities[row] for row in range(6) if found.subjects[row] == found.subjects[0]] == [
        manifest.identities[0]
    ] * 2


def test_a_dataset_without_subjects_has_independent_images(tmp_path: Path) -> None:
    for number, name in enumerate(("26_1_2_20170116184024662.jpg", "1_0_4_20170109150557335.jpg")):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / name)
    asking = protocol({"name": "utkface", "root": str(tmp_path)})
    found = asking.asked(asking.dataset().scan(tmp_path / "cache"))
    assert found.subjects is None
    assert found.columns["age"].ordered


def test_a_dataset_without_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "ann/1.png")
    asking = protocol({"name": "folder", "root": str(tmp_path)})
    with pytest.raises(ValueError, match="dataset folder has no columns, so no attribute can be evaluated"):
        asking.asked(asking.dataset().scan(tmp_path / "cache"))


def test_cohorts_are_columns_with_classes_and_leave_the_identity_alone_without_them() -> None:
    asking = protocol({"name": "drawn", "subjects": 3, "shots": 2}, cohorts=["gender*age_years"])
    with pytest.raises(ValueError, match="protocol attributes: column 'age_years' in cohorts has numbers"):
        asking.asked(asking.dataset().manifest(Path()))
    with pytest.raises(ValueError, match="'race' in cohorts is no column of dataset drawn"):
        protocol({"name": "drawn", "subjects": 3, "shots": 2}, cohorts=["race"]).asked(asking.dataset().manifest(Path()))
    assert "cohorts" not in protocol("drawn").evaluation_identity()
    assert protocol("drawn", cohorts=["gender"]).evaluation_identity()["cohorts"] == ["gender"]


def test_every_setting_is_part_of_the_identity() -> None:
    plain = protocol("drawn").evaluation_identity()
    for key, value in {"targets": ["age"], "tolerance": 3, "bins": 10, "resamples": 200, "seed": 1, "multi_crop": 0.9}.items():
        assert protocol("drawn", **{key: value}).evaluation_identity() != plain, key

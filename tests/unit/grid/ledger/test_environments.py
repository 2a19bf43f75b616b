"""Devices and library versions of results, and older markers that do not name them."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from grid.ledger.environments import devices_of, environments, mixed_devices
from grid.ledger.ledger import Ledger, Marker
from grid.ledger.sealed import seal

GPU = {"device": "H100", "torch": "2.11"}


def marker(ledger: Ledger, kind: str, id: str, environment: dict[str, str] | None) -> Marker:
    attempt = ledger.begin(kind, id * 32, {})
    attempt.finish({}, {}, "code", [], environment)
    found = ledger.marker(kind, id * 32)
    assert found is not None
    return found


def test_a_marker_keeps_its_environment_and_its_content_does_not_depend_on_it(tmp_path: Path) -> None:
    found = marker(Ledger(tmp_path), "train", "a", GPU)
    assert found.environment == GPU
    assert replace(found, environment={}).content == found.content


def test_an_older_marker_without_environment_is_valid(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    found = marker(ledger, "train", "a", GPU)
    older = {key: value for key, value in asdict(found).items() if key != "environment"}
    (tmp_path / "train" / found.id / "done-000.json").write_bytes(seal(older))
    read = ledger.marker("train", found.id)
    assert read == replace(found, environment={})
    assert ledger.status("train", found.id, None).valid
    assert environments([read]) == []
    assert devices_of([read]) == {("train", found.id): None}


def test_equal_environments_are_counted_once_per_stage(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    shared = marker(ledger, "train", "a", {**GPU, "torch": "2.14"})
    found = [shared, marker(ledger, "train", "b", GPU), replace(shared), marker(ledger, "evaluate", "c", GPU)]
    assert environments(found) == [{"stages": 2, **GPU}, {"stages": 1, **GPU, "torch": "2.14"}]
    assert json.loads(json.dumps(environments(found))) == environments(found)


def test_kinds_that_were_computed_on_several_devices_are_named() -> None:
    devices = {
        ("train", "a"): "cpu",
        ("train", "b"): "H100",
        ("train", "c"): "H100",
        ("detect", "d"): "cpu",
        ("train", "e"): None,
    }
    assert mixed_devices(devices) == [
        "train: 2 on H100 and 1 on cpu; results of different devices differ in their last digits, and training amplifies that"
    ]
    assert mixed_devices({("train", "a"): "cpu", ("detect", "b"): "H100", ("train", "c"): None}) == []

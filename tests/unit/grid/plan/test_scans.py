"""Scans on several machines that share a store."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from small import folder

from configs.lookup import resolve
from grid.ledger.store import open_store
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.scans import Scans


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:40] + b"?" + data[41:]])
def test_a_damaged_scan_is_taken_from_the_store_and_a_damaged_one_there_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    """As on several machines that share a bucket, each with a cache of its own."""
    data = resolve("data", {"name": "folder", "root": folder(tmp_path / "data", 1)})
    store = f"memory://{uuid.uuid4().hex}"

    def on(machine: str) -> InputResolver:
        monkeypatch.setenv("FACEGRID_NODE_CACHE", str(tmp_path / machine))
        return InputResolver(store)

    first = on("first")
    first.scan(data)
    wanted = first.manifest(data)
    (file,) = Scans(open_store(store)).folder.glob("*.parquet")
    sound, key = file.read_bytes(), f"scans/{file.name}"
    file.write_bytes(damage(sound))
    assert on("first").manifest(data) == wanted, "no error of a stage, which cannot scan"
    objects = open_store(store)
    objects.put(key, damage(sound))
    second = on("second")
    with pytest.raises(Blocked, match="were never read"):
        second.manifest(data)
    second.scan(data)
    assert objects.get(key) == sound
    assert on("third").manifest(data) == wanted

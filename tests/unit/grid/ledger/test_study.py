"""What a study was launched with outlives damage."""

from pathlib import Path

import pytest

from grid.ledger.study import COPY, RECORD, Study, read_record, write_record
from grid.spec.grid_file import BadInput

DAMAGES = [
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    lambda data: data.replace(b"small", b"smell"),
    lambda data: b"[]",
]
WHAT = {"grid": "small", "store": "store", "study_id": "a" * 32, "cells": [], "hidden": [], "stages": [], "axes": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    write_record(tmp_path, WHAT)
    return tmp_path


@pytest.mark.parametrize("damage", [*DAMAGES, None])
def test_a_damaged_or_lost_record_is_read_from_its_copy(folder: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / RECORD
    path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    assert Study(folder).record == WHAT
    (line,) = [record.getMessage() for record in caplog.records]
    assert str(path) in line
    assert "launching the grid writes both again" in line


@pytest.mark.parametrize("damage", [*DAMAGES, None])
def test_a_damaged_copy_is_of_no_consequence(folder: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    path = folder / COPY
    path.unlink() if damage is None else path.write_bytes(damage(path.read_bytes()))
    assert read_record(folder) == WHAT
    assert caplog.records == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_two_damaged_records_are_one_clear_line(folder: Path, damage) -> None:
    for name in (RECORD, COPY):
        (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(BadInput, match="launching the grid writes it again") as error:
        Study(folder)
    assert str(folder / RECORD) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_record_is_no_study(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no study"):
        Study(tmp_path)

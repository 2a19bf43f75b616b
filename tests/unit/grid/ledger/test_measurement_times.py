"""Measurements of memory are kept in the study, for what it spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.measurement_times import FILE, add_measurement_time, measurement_times


def test_each_measurement_is_kept_with_what_it_reserved(tmp_path: Path) -> None:
    assert measurement_times(tmp_path) == []
    add_measurement_time(tmp_path, 100.0, 1900.0, {"CPU": 4.0, "GPU": 1.0}, "gpu 0 (NVIDIA H100)")
    add_measurement_time(tmp_path, 2000.0, 3800.0, {"CPU": 2.0}, "cpu")
    first, second = measurement_times(tmp_path)
    assert (first.hours(CPU, 0.0), first.hours(GPU, 0.0), first.device) == (2.0, 0.5, "gpu 0 (NVIDIA H100)")
    assert (second.hours(CPU, 0.0), second.hours(GPU, 0.0), second.device) == (1.0, 0.0, "cpu")


@pytest.mark.parametrize("damage", [b"", b"{}", b"not JSON"])
def test_a_damaged_file_is_named_and_replaced(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    add_measurement_time(tmp_path, 0.0, 3600.0, {"CPU": 1.0}, "cpu")
    (tmp_path / FILE).write_bytes(damage)
    assert measurement_times(tmp_path) == []
    assert FILE in caplog.text
    add_measurement_time(tmp_path, 0.0, 7200.0, {"CPU": 1.0}, "cpu")
    assert [one.hours(CPU, 0.0) for one in measurement_times(tmp_path)] == [2.0]

"""Measurements of memory are kept in the study, for what it spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.lock import Lock
from grid.ledger.measurement_times import FILE, begin_measurement, change_measurement, measurement_times
from grid.ledger.sealed import seal
from grid.ledger.store import LocalStore


def test_each_measurement_is_kept_with_what_it_reserved(tmp_path: Path) -> None:
    assert measurement_times(tmp_path) == []
    begin_measurement(tmp_path, "a", 100.0, {"CPU": 4.0, "GPU": 1.0}, "gpu 0 (NVIDIA H100)")
    begin_measurement(tmp_path, "b", 2000.0, {"CPU": 2.0}, "cpu")
    change_measurement(tmp_path, "b", ended=3800.0)
    change_measurement(tmp_path, "a", ended=1900.0)
    first, second = measurement_times(tmp_path)
    assert (first.hours(CPU, 0.0), first.hours(GPU, 0.0), first.device) == (2.0, 0.5, "gpu 0 (NVIDIA H100)")
    assert (second.hours(CPU, 0.0), second.hours(GPU, 0.0), second.device) == (1.0, 0.0, "cpu")


@pytest.mark.parametrize("released", [True, False])
def test_without_an_end_it_counts_until_its_launch_was_last_heard_of(tmp_path: Path, released: bool) -> None:
    store = LocalStore(tmp_path)
    with Lock(store, "a launch") as lock:
        began = lock._record(lock.number)["time"]
        begin_measurement(tmp_path, "a", began, {"CPU": 1.0}, "cpu")
        (running,) = measurement_times(tmp_path)
        assert running.ended is None
        assert running.hours(CPU, began + 7200.0) == 2.0
        lock._stop.set()
        lock._beats.cancel()
        store.put(f"lock/{lock.number:06d}.beat", b"%f %f" % (began + 30.0, lock._beaten))
    if not released:  # it was killed, and another process on this machine has its number
        store.delete(f"lock/{lock.number:06d}.free")
        store.put(f"lock/{lock.number:06d}.json", seal({**lock._me(), "began": -1e6, "time": 0.0}))
    with Lock(store, "the next launch"):
        (ended,) = measurement_times(tmp_path)
        assert ended.ended == pytest.approx(began + 30.0)
        assert ended.hours(CPU, began + 7200.0) == pytest.approx(30.0 / 3600)


def test_of_a_launch_that_nothing_is_known_of_any_more_it_takes_no_time(tmp_path: Path) -> None:
    begin_measurement(tmp_path, "a", 100.0, {"CPU": 1.0}, "cpu")
    (found,) = measurement_times(tmp_path)
    assert (found.ended, found.hours(CPU, 1e9)) == (100.0, 0.0)


@pytest.mark.parametrize("damage", [b"", b"{}", b"not JSON"])
def test_a_damaged_file_is_named_and_replaced(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    begin_measurement(tmp_path, "a", 0.0, {"CPU": 1.0}, "cpu")
    (tmp_path / FILE).write_bytes(damage)
    assert measurement_times(tmp_path) == []
    assert FILE in caplog.text
    change_measurement(tmp_path, "a", ended=60.0)
    begin_measurement(tmp_path, "b", 0.0, {"CPU": 1.0}, "cpu")
    change_measurement(tmp_path, "b", ended=7200.0)
    assert [one.hours(CPU, 0.0) for one in measurement_times(tmp_path)] == [2.0]

import os
import time
from multiprocessing import get_context

import numpy as np
import pytest

from datamodules.shelf import Shelf

SHAPE = (4, 2, 2, 3)
BYTES = 128 + 4 * 12  # header and values


def array(value):
    return np.full(SHAPE, value, np.uint8)


def never():
    raise AssertionError("built again")


def test_an_array_is_built_once(tmp_path):
    shelf = Shelf(tmp_path / "shelf", 10_000)
    built = shelf.get("a", SHAPE, lambda: array(7))
    again = shelf.get("a", SHAPE, never)
    assert np.array_equal(built, array(7))
    assert np.array_equal(again, array(7))
    assert [file.name for file in (tmp_path / "shelf").iterdir()] == ["a.npy"]


def test_an_array_is_a_read_only_map_of_its_file(tmp_path):
    for _ in range(2):
        found = Shelf(tmp_path, 10_000).get("a", SHAPE, lambda: array(7))
        assert isinstance(found, np.memmap)
        assert str(found.filename) == str(tmp_path / "a.npy")
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 1


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    shelf = Shelf(tmp_path, 3 * BYTES)
    for age, name in enumerate("cba"):
        shelf.get(name, SHAPE, lambda: array(1))
        os.utime(tmp_path / f"{name}.npy", (1000 + age, 1000 + age))
    shelf.get("c", SHAPE, never)  # used just now
    shelf.get("d", SHAPE, lambda: array(2))
    assert sorted(file.stem for file in tmp_path.iterdir()) == ["a", "c", "d"]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 3 * BYTES


def test_a_removed_array_can_still_be_read_by_who_has_it(tmp_path):
    shelf = Shelf(tmp_path, BYTES)
    held = shelf.get("a", SHAPE, lambda: array(5))
    shelf.get("b", SHAPE, lambda: array(6))
    assert not (tmp_path / "a.npy").exists()
    assert np.array_equal(held, array(5))


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield array(1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Shelf(tmp_path, 10_000).get("a", SHAPE, broken)
    assert list(tmp_path.iterdir()) == []


def test_the_leavings_of_a_dead_process_are_removed_after_a_day(tmp_path):
    for name, age in (("old.host.1.tmp", 25), ("new.host.2.tmp", 1)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age * 3600,) * 2)
    Shelf(tmp_path, 10_000).get("a", SHAPE, lambda: array(1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npy", "new.host.2.tmp"]


def slow():
    for row in array(9):
        time.sleep(0.02)
        yield row


def race(folder):
    return int(Shelf(folder, 10_000).get("a", SHAPE, slow).sum())


def test_processes_that_build_at_once_each_get_a_whole_array(tmp_path):
    with get_context("spawn").Pool(2) as pool:
        assert pool.map(race, [tmp_path] * 4) == [9 * 48] * 4
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]

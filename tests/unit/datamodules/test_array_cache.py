import os
import time
from multiprocessing import get_context

import numpy as np
import pytest

from datamodules.array_cache import ArrayCache

SHAPE = (4, 2, 2, 3)
BYTES = 128 + 4 * 12 + 32  # header, values and digest


def array(value):
    return np.full(SHAPE, value, np.uint8)


def never():
    raise AssertionError("built again")


def test_an_array_is_built_once(tmp_path):
    shelf = ArrayCache(tmp_path / "shelf", 10_000)
    built = shelf.get("a", SHAPE, lambda: array(7))
    again = shelf.get("a", SHAPE, never)
    assert np.array_equal(built, array(7))
    assert np.array_equal(again, array(7))
    assert [file.name for file in (tmp_path / "shelf").iterdir()] == ["a.npy"]


def test_an_array_is_a_read_only_map_of_its_file(tmp_path):
    for _ in range(2):
        found = ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(7))
        assert isinstance(found, np.memmap)
        assert str(found.filename) == str(tmp_path / "a.npy")
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 1


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    shelf = ArrayCache(tmp_path, 3 * BYTES)
    for age, name in enumerate("cba"):
        shelf.get(name, SHAPE, lambda: array(1))
        os.utime(tmp_path / f"{name}.npy", (1000 + age, 1000 + age))
    shelf.get("c", SHAPE, never)  # used just now
    shelf.get("d", SHAPE, lambda: array(2))
    assert sorted(file.stem for file in tmp_path.iterdir()) == ["a", "c", "d"]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 3 * BYTES


def test_a_removed_array_can_still_be_read_by_who_has_it(tmp_path):
    shelf = ArrayCache(tmp_path, BYTES)
    held = shelf.get("a", SHAPE, lambda: array(5))
    shelf.get("b", SHAPE, lambda: array(6))
    assert not (tmp_path / "a.npy").exists()
    assert np.array_equal(held, array(5))


def test_a_build_that_fails_leaves_nothing(tmp_path):
    def broken():
        yield array(1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ArrayCache(tmp_path, 10_000).get("a", SHAPE, broken)
    assert list(tmp_path.iterdir()) == []


def test_the_leavings_of_a_dead_process_are_removed(tmp_path):
    (tmp_path / "old.0.tmp").write_bytes(b"half")
    os.utime(tmp_path / "old.0.tmp", (time.time() - 3600,) * 2)
    ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(1))
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]


def test_what_others_are_writing_counts_within_the_bound(tmp_path):
    shelf = ArrayCache(tmp_path, 3 * BYTES)
    shelf.get("a", SHAPE, lambda: array(1))
    os.utime(tmp_path / "a.npy", (1000, 1000))
    shelf.get("b", SHAPE, lambda: array(1))
    (tmp_path / "other.0.tmp").write_bytes(bytes(BYTES))
    shelf.get("c", SHAPE, lambda: array(1))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.npy", "c.npy", "other.0.tmp"]


@pytest.mark.parametrize("place", [0, 60, 130, BYTES - 40, BYTES - 1])
def test_one_flipped_bit_and_the_array_is_built_again(tmp_path, place, caplog):
    ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(7))
    data = bytearray((tmp_path / "a.npy").read_bytes())
    data[place] ^= 1
    (tmp_path / "a.npy").write_bytes(data)
    assert np.array_equal(ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(7)), array(7))
    assert len(caplog.records) == 1
    assert np.array_equal(ArrayCache(tmp_path, 10_000).get("a", SHAPE, never), array(7))


@pytest.mark.parametrize("size", [0, 1, 31, 130, BYTES // 2])
def test_a_truncated_array_is_built_again(tmp_path, size):
    ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(7))
    os.truncate(tmp_path / "a.npy", size)
    assert np.array_equal(ArrayCache(tmp_path, 10_000).get("a", SHAPE, lambda: array(7)), array(7))


def slow():
    for row in array(9):
        time.sleep(0.02)
        yield row


def race(folder):
    return int(ArrayCache(folder, 10_000).get("a", SHAPE, slow).sum())


def test_processes_that_build_at_once_each_get_a_whole_array(tmp_path):
    with get_context("spawn").Pool(2) as pool:
        assert pool.map(race, [tmp_path] * 4) == [9 * 48] * 4
    assert [file.name for file in tmp_path.iterdir()] == ["a.npy"]

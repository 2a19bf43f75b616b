import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from datamodules.formats import byte_ranges as module
from datamodules.formats.byte_ranges import ByteRanges, Fetcher, Placed
from datamodules.formats.manifest_cache import keep_manifest, recall_manifest
from datamodules.manifest import Manifest


@pytest.fixture
def files(tmp_path):
    found = tuple(tmp_path / f"{number:03d}" for number in range(10))
    for number, file in enumerate(found):
        file.write_bytes(bytes([number]) * 100)
    return found


def placed(files):
    count = len(files)
    places = ByteRanges(files, np.arange(count), np.arange(count) * 7, np.full(count, 5), np.zeros(count, np.int8))
    keys = tuple(file.name for file in files)
    return Placed.of(Manifest(keys, ("ann",) * count, (1,) * count, (2,) * count, ("00",) * count, {"x": "bad"}), places)


def test_a_part_of_a_manifest_keeps_its_places(files):
    part = placed(files).subset([7, 2])
    assert isinstance(part, Placed)
    assert part.keys == ("007", "002")
    assert (part.places.file.tolist(), part.places.offset.tolist()) == ([7, 2], [49, 14])
    assert part.places.name(0) == f"{files[7]}, offset 49"
    assert part.skipped == {"x": "bad"}


def test_few_files_are_open_at_a_time(files, monkeypatch):
    monkeypatch.setattr(module, "OPEN", 3)
    fetcher = Fetcher(files)
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: fetcher.read(row % 10, row % 90, 10), range(500)))
    assert found == [bytes([row % 10]) * 10 for row in range(500)]
    assert len(os.listdir("/proc/self/fd")) <= before + 3 + 4  # threads that look at one time
    fetcher = None
    assert len(os.listdir("/proc/self/fd")) <= before


def test_bytes_that_are_not_there_are_refused(files):
    fetcher = pickle.loads(pickle.dumps(Fetcher(files)))
    with pytest.raises(ValueError, match=r"001, offset 95: the file ends after 5 of 10 bytes"):
        fetcher.read(1, 95, 10)
    files[2].unlink()
    with pytest.raises(ValueError, match=r"002, offset 0: No such file"):
        fetcher.read(2, 0, 1)


def test_what_is_kept_counts_for_the_same_files_and_settings_only(files, tmp_path):
    manifest, now = placed(files), tuple(map(module.state, files))
    keep_manifest(tmp_path / "cache", ("x", now, {"a": 1}), manifest)
    found = recall_manifest(tmp_path / "cache", ("x", now, {"a": 1}), files)
    assert found == manifest
    assert found.places.offset.tolist() == manifest.places.offset.tolist()
    assert recall_manifest(tmp_path / "cache", ("x", now, {"a": 2}), files) is None
    assert recall_manifest(tmp_path / "cache", ("y", now, {"a": 1}), files) is None
    os.utime(files[3], ns=(1, 1))
    assert recall_manifest(tmp_path / "cache", ("x", tuple(map(module.state, files)), {"a": 1}), files) is None
    assert len(list((tmp_path / "cache").iterdir())) == 1

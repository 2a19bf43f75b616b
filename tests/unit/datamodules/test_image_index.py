import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from datamodules import image_index as module
from datamodules.image_index import cached, scan


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(6):
        pixels = np.random.default_rng(index).integers(0, 256, (10 + index, 20, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.jpg")
    return folder


IMAGES = [(f"{index}.jpg", f"subject {index // 2}") for index in range(6)]


@pytest.fixture
def reads(monkeypatch):
    seen = []
    honest = module.decode
    monkeypatch.setattr(module, "decode", lambda data, name: seen.append(name) or honest(data, name))
    return seen


def truncate(path):
    path.write_bytes(path.read_bytes()[:-60])


def test_a_scan_records_sizes_and_bytes_in_order(root, tmp_path):
    found = scan(root, IMAGES, "fail", tmp_path / "cache")
    assert found.keys == tuple(key for key, _ in IMAGES)
    assert found.identities == tuple(who for _, who in IMAGES)
    assert found.widths == (20,) * 6
    assert found.heights == tuple(range(10, 16))
    assert found.digests == tuple(hashlib.sha256((root / key).read_bytes()).hexdigest() for key, _ in IMAGES)


def test_an_unchanged_image_is_not_read_again(root, tmp_path, reads):
    first = scan(root, IMAGES, "fail", tmp_path / "cache")
    assert len(reads) == 6
    assert scan(root, IMAGES, "fail", tmp_path / "cache") == first
    assert cached(root, IMAGES, "fail", tmp_path / "cache") == first
    assert len(reads) == 6


def test_what_was_never_scanned_has_no_cached_manifest(root, tmp_path):
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None
    scan(root, IMAGES[:3], "fail", tmp_path / "cache")
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None
    assert cached(root, IMAGES[1:3], "fail", tmp_path / "cache") is not None


def test_a_changed_image_alone_is_read_again(root, tmp_path, reads):
    first = scan(root, IMAGES, "fail", tmp_path / "cache")
    Image.new("RGB", (5, 5)).save(root / "2.jpg")
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None
    second = scan(root, IMAGES, "fail", tmp_path / "cache")
    assert len(reads) == 7
    assert second.widths[2] == 5
    assert second.digest != first.digest


def test_a_touched_image_is_read_again(root, tmp_path):
    scan(root, IMAGES, "fail", tmp_path / "cache")
    os.utime(root / "1.jpg", ns=(1, 1))
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None


def test_another_size_at_the_old_time_is_read_again(root, tmp_path):
    scan(root, IMAGES, "fail", tmp_path / "cache")
    before = (root / "1.jpg").stat().st_mtime_ns
    Image.new("RGB", (5, 5)).save(root / "1.jpg")
    os.utime(root / "1.jpg", ns=(before, before))
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None


def test_a_truncated_jpeg_is_named_and_counted(root, tmp_path):
    truncate(root / "1.jpg")
    (root / "4.jpg").write_bytes(b"")
    for attempt in (scan, scan, cached):  # known from the cache, it is still refused
        with pytest.raises(ValueError, match=r"1\.jpg: .*; 2 of 6 images cannot be read; on_bad_image: skip leaves them out"):
            attempt(root, IMAGES, "fail", tmp_path / "cache")


def test_the_policy_skip_leaves_bad_images_out_and_says_why(root, tmp_path):
    truncate(root / "1.jpg")
    (root / "4.jpg").write_bytes(b"")
    found = scan(root, IMAGES, "skip", tmp_path / "cache")
    assert found.keys == ("0.jpg", "2.jpg", "3.jpg", "5.jpg")
    assert found.skipped["4.jpg"] == "the file is empty"
    assert "truncated" in found.skipped["1.jpg"]
    assert cached(root, IMAGES, "skip", tmp_path / "cache") == found


def test_a_dataset_of_bad_images_only_is_refused(root, tmp_path):
    truncate(root / "1.jpg")
    with pytest.raises(ValueError, match="none of the 1 images"):
        scan(root, IMAGES[1:2], "skip", tmp_path / "cache")


def test_an_absent_file_is_no_bad_image(root, tmp_path):
    (root / "3.jpg").unlink()
    with pytest.raises(ValueError, match=r"3\.jpg: No such file"):
        scan(root, IMAGES, "skip", tmp_path / "cache")


def test_progress_counts_up_to_all_images(root, tmp_path):
    seen = []
    scan(root, IMAGES, "fail", tmp_path / "cache", lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_scans_of_different_parts_at_once_keep_each_others_rows(root, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda part: scan(root, part, "fail", tmp_path / "cache"), [IMAGES[:3], IMAGES[3:]]))
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is not None


def test_an_interrupted_scan_goes_on_where_rows_were_kept(root, tmp_path, monkeypatch, reads):
    monkeypatch.setattr(module, "BLOCK", 2)
    monkeypatch.setattr(module, "PART", 2)

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(root, IMAGES, "fail", tmp_path / "cache", stop)
    reads.clear()
    scan(root, IMAGES, "fail", tmp_path / "cache")
    assert len(reads) == 2


def test_no_temporary_file_is_left(root, tmp_path):
    scan(root, IMAGES, "fail", tmp_path / "cache")
    assert [file.suffix for file in (tmp_path / "cache").iterdir()] == [".parquet"]


def test_all_absent_files_are_counted(root, tmp_path):
    (root / "3.jpg").unlink()
    (root / "5.jpg").unlink()
    with pytest.raises(ValueError, match=r"3\.jpg: No such file or directory; 2 of 6 files cannot be read; restore it"):
        scan(root, IMAGES, "skip", tmp_path / "cache")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_refused_and_never_waited_for(root, tmp_path, make):
    make(root / "6.jpg")
    with pytest.raises(ValueError, match=r"6\.jpg: is no file"):
        scan(root, [*IMAGES, ("6.jpg", "x")], "skip", tmp_path / "cache")


def test_a_file_name_that_is_no_text_is_named(root, tmp_path):
    with pytest.raises(ValueError, match=r"caf\\udce9\.jpg: the file's name is not UTF-8"):
        scan(root, [*IMAGES, (os.fsdecode(b"caf\xe9.jpg"), "x")], "skip", tmp_path / "cache")


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"PAR1" + data[5:]])
def test_a_damaged_cache_is_scanned_again_and_says_so_in_one_line(root, tmp_path, reads, damage, caplog):
    first = scan(root, IMAGES, "fail", tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cached(root, IMAGES, "fail", tmp_path / "cache") is None
    assert len(caplog.records) == 1
    assert scan(root, IMAGES, "fail", tmp_path / "cache") == first
    assert len(reads) == 12


def test_no_flipped_bit_of_a_cache_changes_a_manifest(root, tmp_path):
    first = scan(root, IMAGES, "fail", tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    data = file.read_bytes()
    for place in range(0, len(data), 37):
        file.write_bytes(data[:place] + bytes([data[place] ^ 2]) + data[place + 1 :])
        assert cached(root, IMAGES, "fail", tmp_path / "cache") is None, place
        assert not file.exists()
    assert scan(root, IMAGES, "fail", tmp_path / "cache") == first

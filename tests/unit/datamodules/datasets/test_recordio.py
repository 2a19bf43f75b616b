import hashlib
import io
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from datamodules.datasets.recordio import RecordIODatasetConfig

SIGN = struct.pack("<I", 0xCED7230A)
COUNTS = {0: 3, 1: 1, 2: 2}  # images of each class


def jpeg(seed, size=(12, 10)):
    packed = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(packed, "JPEG")
    return packed.getvalue()


def record(labels, image):
    if not isinstance(labels, list):
        return struct.pack("<IfQQ", 0, labels, 0, 0) + image
    return struct.pack("<IfQQ", len(labels), 0, 0, 0) + struct.pack(f"<{len(labels)}f", *labels) + image


def save(folder, records, name="train"):
    folder.mkdir(exist_ok=True)
    rec, idx = b"", ""
    for number, data in enumerate(records):
        assert SIGN not in data
        idx += f"{number}\t{len(rec)}\n"
        rec += SIGN + struct.pack("<I", len(data)) + data + bytes(-len(data) % 4)
    (folder / f"{name}.rec").write_bytes(rec)
    (folder / f"{name}.idx").write_text(idx)
    return folder


def contents(counts=COUNTS):
    """Records as the writers of InsightFace lay them out."""
    images = [
        record([float(who), 0.0] if who else float(who), jpeg(10 * who + shot)) for who in counts for shot in range(counts[who])
    ]
    start, ranges = 1, []
    for count in counts.values():
        ranges.append(record([float(start), float(start + count)], b""))
        start += count
    return [record([float(start), float(start + len(counts))], b""), *images, *ranges]


@pytest.fixture
def root(tmp_path):
    return save(tmp_path / "faces", contents())


def test_the_images_of_the_subjects_are_found(root, tmp_path):
    found = RecordIODatasetConfig(root=root).scan(tmp_path / "cache")
    assert found.keys == tuple(f"{number:08d}" for number in range(1, 7))
    assert found.identities == ("0", "0", "0", "1", "2", "2")
    assert found.digests[3] == hashlib.sha256(jpeg(10)).hexdigest()
    assert set(found.widths) == {10}
    assert set(found.heights) == {12}
    assert RecordIODatasetConfig(root=root).namespace == "recordio"
    assert RecordIODatasetConfig(root=root, space="ms1m").namespace == "ms1m"


def test_what_was_scanned_is_known_without_reading(root, tmp_path, monkeypatch):
    assert RecordIODatasetConfig(root=root).manifest(tmp_path / "cache") is None
    found = RecordIODatasetConfig(root=root).scan(tmp_path / "cache")
    monkeypatch.setattr("datamodules.datasets.recordio.read_headers", None)
    again = RecordIODatasetConfig(root=root).manifest(tmp_path / "cache")
    assert again == found
    assert RecordIODatasetConfig(root=root).build(again).data(5) == jpeg(21)
    for file in (tmp_path / "cache").glob("manifest-*"):  # what was kept of each image gives the same
        file.unlink()
    assert RecordIODatasetConfig(root=root).manifest(tmp_path / "cache") == found
    assert RecordIODatasetConfig(root=root / "train.rec").manifest(tmp_path / "cache") == found
    assert RecordIODatasetConfig(root=root, subjects=1).manifest(tmp_path / "cache").identities == ("0",) * 3
    (root / "train.idx").write_text((root / "train.idx").read_text() + "\n")
    assert RecordIODatasetConfig(root=root).manifest(tmp_path / "cache") is None


def test_images_come_in_the_order_of_the_manifest(root, tmp_path):
    config = RecordIODatasetConfig(root=root)
    data = config.build(config.scan(tmp_path / "cache").subset([5, 0]))
    assert len(data) == 2
    assert data.data(0) == jpeg(21)
    assert data.data(1) == jpeg(0)
    assert np.array_equal(data.image(1), np.array(Image.open(io.BytesIO(jpeg(0)))))
    assert pickle.loads(pickle.dumps(data)).data(0) == jpeg(21)


def test_subjects_and_images_are_chosen_as_in_folders(root, tmp_path):
    def identities(**settings):
        return RecordIODatasetConfig(root=root, **settings).scan(tmp_path / "cache").identities

    assert identities(min_images=2) == ("0", "0", "0", "2", "2")
    assert identities(min_images=2, subjects=1) == ("0", "0", "0")
    assert identities(share=0.5) == ("0", "0", "1", "2")
    with pytest.raises(ValueError, match=r"train\.rec: none of its 6 images fits"):
        identities(min_images=9)


def test_a_file_without_subjects_has_images_only(tmp_path):
    root = save(tmp_path / "plain", [record(7.0, jpeg(1)), record([3.0, 1.0], jpeg(2))])
    found = RecordIODatasetConfig(root=root).scan(tmp_path / "cache")
    assert (found.keys, found.identities) == (("00000000", "00000001"), ("7", "3"))


def test_a_bad_image_is_named_with_its_place_or_skipped(tmp_path):
    records = contents()
    records[2] = record(0.0, jpeg(1)[:-200])
    records[5] = record([2.0, 0.0], b"")
    root = save(tmp_path / "bad", records)
    with pytest.raises(ValueError, match=r"train\.rec, offset \d+ \(00000002\): .*; 2 of 6 images cannot be read"):
        RecordIODatasetConfig(root=root).scan(tmp_path / "cache")
    found = RecordIODatasetConfig(root=root, on_bad_image="skip").scan(tmp_path / "cache")
    assert set(found.skipped) == {"00000002", "00000005"}
    assert found.keys == ("00000001", "00000003", "00000004", "00000006")
    assert RecordIODatasetConfig(root=root).build(found).data(3) == jpeg(21)
    again = RecordIODatasetConfig(root=root, on_bad_image="skip").manifest(tmp_path / "cache")
    assert (again, again.skipped) == (found, found.skipped)
    with pytest.raises(ValueError, match="2 of 6 images cannot be read"):
        RecordIODatasetConfig(root=root).manifest(tmp_path / "cache")
    kept = RecordIODatasetConfig(root=root, on_bad_image="skip", min_images=2).scan(tmp_path / "cache")
    assert kept.identities == ("0", "0")


def test_an_image_that_changed_after_the_scan_is_refused(root, tmp_path):
    config = RecordIODatasetConfig(root=root)
    data = config.build(config.scan(tmp_path / "cache"))
    raw = (root / "train.rec").read_bytes()
    (root / "train.rec").write_bytes(raw.replace(jpeg(10), jpeg(10)[:-3] + b"abc"))
    with pytest.raises(ValueError, match=r"offset \d+ \(00000004\): the file changed after it was scanned"):
        data.data(3)


@pytest.mark.parametrize(
    ("place", "labels", "why"),
    [
        (0, [6.0, 10.0], r"offset 0: announces subjects at 6 to 10, found them from record 7 to 10"),
        (0, [7.0, 11.0], r"offset 0: announces subjects at 7 to 11"),
        (8, [4.0, 6.0], r"a subject has the images 4 to 6, but by their labels the images are 4 to 5"),
        (9, [4.0, 5.0], r"a subject has the images 4 to 5, but by their labels the images are 5 to 7"),
        (7, [float("nan"), 4.0], "a subject has the images"),
    ],
)
def test_subjects_that_do_not_agree_with_the_images_are_refused(tmp_path, place, labels, why):
    records = contents()
    records[place] = record(labels, b"")
    with pytest.raises(ValueError, match=why):
        RecordIODatasetConfig(root=save(tmp_path / "odd", records)).scan(tmp_path / "cache")


@pytest.mark.parametrize("label", [-1.0, 0.5, float("inf"), float("nan"), 2.0**24])
def test_a_label_that_is_no_class_number_is_refused(tmp_path, label):
    root = save(tmp_path / "odd", [record(1.0, jpeg(1)), record(label, jpeg(2))])
    with pytest.raises(ValueError, match=r"train\.rec, offset \d+: the label .* is no class number"):
        RecordIODatasetConfig(root=root).scan(tmp_path / "cache")


def test_beyond_what_float32_counts_the_labels_of_the_images_decide(tmp_path, monkeypatch):
    from datamodules.datasets.recordio import image_rows
    from datamodules.formats import recordio

    count, ends = 2**24 + 9, [2**24 + 1, 2**24 + 6]  # subjects end at numbers that float32 cannot tell from their neighbors
    labels = np.full((count, 2), np.nan, np.float32)
    labels[1 : ends[0], 0], labels[ends[0] : ends[1], 0] = 0, 1
    labels[ends[1]], labels[ends[1] + 1] = (1, ends[0]), (ends[0], ends[1])
    labels = labels[: ends[1] + 2]
    labels[0] = (ends[1], ends[1] + 2)
    zero = np.zeros(len(labels), np.int64)
    flag, payload = zero.copy(), zero + 5
    flag[[0, -1, -2]], payload[[0, -1, -2]] = 2, 0
    records = recordio.Records(np.arange(len(labels)), zero, zero, flag, labels, payload)
    assert int(labels[0, 0]) == ends[1]  # even: exact; the end of the first subject is odd, and is not
    assert int(labels[-1, 0]) != ends[0]
    assert np.array_equal(image_rows(tmp_path, records), np.arange(1, ends[1]))


def test_what_is_missing_is_said(root, tmp_path):
    assert "no records" in RecordIODatasetConfig(root=tmp_path / "none").missing().what
    (root / "train.idx").unlink()
    assert "no index" in RecordIODatasetConfig(root=root).missing().what
    with pytest.raises(ValueError, match=r"no index .*train\.idx; training sets of"):
        RecordIODatasetConfig(root=root).scan(tmp_path / "cache")


def test_location_is_no_part_of_the_identity(root, tmp_path):
    before = RecordIODatasetConfig(root=root).scan(tmp_path / "cache")
    moved = root.rename(tmp_path / "elsewhere")
    assert RecordIODatasetConfig(root=moved).identity() == RecordIODatasetConfig(root=root).identity()
    assert RecordIODatasetConfig(root=moved).scan(tmp_path / "cache").digest == before.digest

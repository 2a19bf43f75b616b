import io
import json
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from datamodules.convert import convert
from datamodules.datasets.folder import FolderDatasetConfig as Folder
from datamodules.datasets.shards import ShardsDatasetConfig


def jpeg(seed):
    packed = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)).save(packed, "JPEG")
    return packed.getvalue()


def write(path, files):
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def root(tmp_path):
    """Two archives as webdataset writes them: classes 3, 3, 4 and 4, 5."""
    for shard, classes in enumerate([(3, 3, 4), (4, 5)]):
        files = [
            part
            for place, number in enumerate(classes)
            for part in ((f"{place:03d}.jpg", jpeg(10 * shard + place)), (f"{place:03d}.cls", str(number).encode()))
        ]
        write(tmp_path / "faces" / f"train-{shard}.tar", files)
    return tmp_path / "faces"


@pytest.fixture
def converted(tmp_path):
    """What our writer wrote of a folder."""
    for subject, shots in (("ada", 3), ("bob", 1), ("eve", 2)):
        (tmp_path / "source" / subject).mkdir(parents=True)
        for shot in range(shots):
            (tmp_path / "source" / subject / f"{shot}.a.jpg").write_bytes(jpeg(len(subject) + 10 * shot + ord(subject[0])))
    convert(Folder(root=tmp_path / "source", space="staff"), tmp_path / "cache", tmp_path / "out", images_per_shard=4)
    return tmp_path / "out"


def test_images_of_all_shards_are_found(root, tmp_path):
    config = ShardsDatasetConfig(root=root)
    assert config.manifest(tmp_path / "cache") is None
    found = config.scan(tmp_path / "cache")
    assert found.keys == ("train-0/000.jpg", "train-0/001.jpg", "train-0/002.jpg", "train-1/000.jpg", "train-1/001.jpg")
    assert found.identities == ("3", "3", "4", "4", "5")
    assert config.namespace == "shards"
    data = config.build(found.subset([4, 0]))
    assert (data.data(0), data.data(1)) == (jpeg(11), jpeg(0))
    assert data.image(0).shape == (8, 9, 3)
    assert pickle.loads(pickle.dumps(data)).data(1) == jpeg(0)


def test_what_was_scanned_is_known_without_reading(root, tmp_path, monkeypatch):
    found = ShardsDatasetConfig(root=root).scan(tmp_path / "cache")
    monkeypatch.setattr("datamodules.datasets.shards.samples", None)
    assert ShardsDatasetConfig(root=root).manifest(tmp_path / "cache") == found
    assert ShardsDatasetConfig(root=root, min_images=2, subjects=1).manifest(tmp_path / "cache").identities == ("3", "3")
    (root / "train-1.tar").rename(root / "train-2.tar")
    assert ShardsDatasetConfig(root=root).manifest(tmp_path / "cache") is None


def test_a_bad_image_is_named_with_its_place_or_skipped(tmp_path):
    write(tmp_path / "faces" / "x.tar", [("0.jpg", jpeg(0)), ("0.cls", b"1"), ("1.jpg", b"bad"), ("1.cls", b"1")])
    with pytest.raises(ValueError, match=r"x\.tar, offset \d+ \(x/1\.jpg\): .*; 1 of 2 images cannot be read"):
        ShardsDatasetConfig(root=tmp_path / "faces").scan(tmp_path / "cache")
    found = ShardsDatasetConfig(root=tmp_path / "faces", on_bad_image="skip").scan(tmp_path / "cache")
    assert (found.keys, set(found.skipped)) == (("x/0.jpg",), {"x/1.jpg"})


def test_an_image_in_two_shards_is_refused(tmp_path):
    label = json.dumps({"key": "ada/1.jpg", "identity": "ada"}).encode()
    for name in "ab":
        write(tmp_path / "faces" / f"{name}.tar", [("0.jpg", jpeg(0)), ("0.json", label)])
    with pytest.raises(ValueError, match=r"b\.tar, offset \d+: the image 'ada/1\.jpg' is also in .*a\.tar, offset \d+"):
        ShardsDatasetConfig(root=tmp_path / "faces").scan(tmp_path / "cache")


def test_shards_of_the_writer_keep_the_namespace(converted, tmp_path):
    assert ShardsDatasetConfig(root=converted).namespace == "staff"
    assert ShardsDatasetConfig(root=converted, space="else").namespace == "else"
    assert ShardsDatasetConfig(root=converted, subjects=2).scan(tmp_path / "cache2").identities == ("ada",) * 3 + ("bob",)
    assert ShardsDatasetConfig(root=converted.rename(tmp_path / "moved")).scan(tmp_path / "cache2").keys[3] == "bob/0.a.jpg"


def test_every_byte_of_the_writers_shards_is_verified(converted, tmp_path):
    file = converted / "shard-000001.tar"
    data = file.read_bytes()
    for place in range(0, len(data), 97):
        changed = bytearray(data)
        changed[place] ^= 4
        file.write_bytes(changed)
        with pytest.raises(ValueError, match=r"shard-000001\.tar"):
            ShardsDatasetConfig(root=converted).scan(tmp_path / f"cache-{place}")
    for length in range(0, len(data), 101):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match=rf"shard-000001\.tar, offset {length}: manifest\.json says {len(data)} bytes"):
            ShardsDatasetConfig(root=converted).scan(tmp_path / f"cache-{length}")


def test_a_shard_that_is_lost_or_added_is_noticed(converted, tmp_path):
    (converted / "shard-000001.tar").rename(tmp_path / "aside")
    with pytest.raises(ValueError, match=r"manifest\.json: names shard-000001\.tar, which is not there \(1 of 2 shards\)"):
        ShardsDatasetConfig(root=converted).scan(tmp_path / "cache2")
    (tmp_path / "aside").rename(converted / "shard-000001.tar")
    write(converted / "extra.tar", [("0.jpg", jpeg(0)), ("0.cls", b"1")])
    with pytest.raises(ValueError, match=r"extra\.tar: the shard is not one of the 2"):
        ShardsDatasetConfig(root=converted).scan(tmp_path / "cache2")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "other"}, "not written by this project"),
        ({"version": 2}, "version 2; version 1 is known"),
        ({"images": 7}, "do not sum to 7 images"),
        ({"namespace": 3}, "namespace: Input should be a valid string"),
        ({"extra": 3}, "extra: Extra inputs are not permitted"),
        ({"shards": [{"file": "x.tar"}]}, "shards: 0: images: Field required"),
        ({"shards": 3}, "shards: Input should be a valid array"),
        ({"identities": []}, "identities: Input should be an object"),
        ({"skipped": {"a": 3}}, "skipped: a: Input should be a valid string"),
        ({"digest": "00"}, "says the digest 00, but that of the images is"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused(converted, tmp_path, change, why):
    said = json.loads((converted / "manifest.json").read_text())
    (converted / "manifest.json").write_text(json.dumps(said | change))
    with pytest.raises(ValueError, match=rf"manifest\.json: .*{why}"):
        ShardsDatasetConfig(root=converted).scan(tmp_path / "cache2")


def test_a_manifest_that_ends_anywhere_is_refused(converted, tmp_path):
    text = (converted / "manifest.json").read_bytes()
    for length in range(0, len(text) - 2, 11):
        (converted / "manifest.json").write_bytes(text[:length])
        with pytest.raises(ValueError, match=r"manifest\.json: "):
            ShardsDatasetConfig(root=converted).scan(tmp_path / "cache2")


def test_what_is_missing_is_said(tmp_path):
    assert "no folder" in ShardsDatasetConfig(root=tmp_path / "none").missing().what
    assert "no .tar files" in ShardsDatasetConfig(root=tmp_path).missing().what
    with pytest.raises(ValueError, match=r"no \.tar files in .*it needs root: a folder"):
        ShardsDatasetConfig(root=tmp_path).scan(tmp_path / "cache")


@pytest.mark.parametrize("what", ["listing-*", "manifest-*", "scan*"])
def test_no_damage_of_what_is_kept_changes_a_manifest(root, tmp_path, what):
    config, cache = ShardsDatasetConfig(root=root), tmp_path / "cache"
    found = config.scan(cache)
    (file,) = cache.glob(what)
    data = file.read_bytes()
    damaged = [data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :] for place in range(0, len(data), 331)]
    for text in (b"", data[: len(data) // 2], *damaged):
        file.write_bytes(text)
        assert config.manifest(cache) in (None, found)
        assert config.scan(cache) == found
        assert config.manifest(cache) == found

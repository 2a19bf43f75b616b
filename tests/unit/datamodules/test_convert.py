import fcntl
import hashlib
import io
import json
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from configs.lookup import resolve
from datamodules import convert as module
from datamodules.convert import convert
from datamodules.datasets.bin import BinDatasetConfig as Bin
from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.datasets.fairface import FairFaceDatasetConfig as FairFace
from datamodules.datasets.folder import FolderDatasetConfig as Folder
from datamodules.datasets.recordio import RecordIODatasetConfig as Recordio
from datamodules.datasets.shards import ShardsDatasetConfig as Shards
from datamodules.image_index import StoredImages

FORMS = ("JPEG", "PNG", "WEBP", "BMP", "PPM")


def image(seed, form="JPEG"):
    packed = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)).save(packed, form)
    return packed.getvalue()


@pytest.fixture
def source(tmp_path):
    for number, subject in enumerate(("ada", "bøb", "e v.e")):
        (tmp_path / "faces" / subject).mkdir(parents=True)
        for shot in range(3):
            form = FORMS[(3 * number + shot) % 5]
            (tmp_path / "faces" / subject / f"{shot}.x.{form.lower()}").write_bytes(image(10 * number + shot, form))
    return Folder(root=tmp_path / "faces", space="staff")


def contents(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_a_converted_folder_has_the_digest_of_its_source(source, tmp_path):
    before = source.scan(tmp_path / "cache")
    facts = convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=4)
    after = Shards(root=tmp_path / "out").scan(tmp_path / "cache")
    assert after.digest == before.digest == facts["digest"]
    assert (after.keys, after.identities, after.digests) == (before.keys, before.identities, before.digests)
    assert (after.widths, after.heights) == (before.widths, before.heights)
    data = Shards(root=tmp_path / "out").build(after)
    assert [data.data(row) for row in range(9)] == [source.build(before).data(row) for row in range(9)]
    assert facts == {
        "target": str(tmp_path / "out"),
        "images": 9,
        "subjects": 3,
        "shards": 3,
        "bytes": sum(file.stat().st_size for file in (tmp_path / "out").glob("*.tar")),
        "digest": before.digest,
        "original": True,
        "skipped": {},
        "columns_left_out": [],
    }


def test_what_is_written_is_what_pythons_own_reader_reads(source, tmp_path):
    convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=4)
    manifest = source.manifest(tmp_path / "cache")
    said = json.loads((tmp_path / "out" / "manifest.json").read_text())
    row = 0
    for shard in said["shards"]:
        file = tmp_path / "out" / shard["file"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == shard["sha256"]
        assert file.stat().st_size == shard["bytes"]
        with tarfile.open(file) as archive:
            files = [(info.name, archive.extractfile(info).read()) for info in archive]
            assert {(info.mtime, info.uid, info.uname, info.mode) for info in archive} == {(0, 0, "", 0o644)}
        assert len(files) == 2 * shard["images"]
        for (name, data), (label, text) in zip(files[::2], files[1::2], strict=True):
            assert name.rpartition(".")[0] == label.removesuffix(".json") == f"{row:09d}"
            assert name.rpartition(".")[2] == manifest.keys[row].rpartition(".")[2].replace("jpeg", "jpg")
            assert hashlib.sha256(data).hexdigest() == manifest.digests[row]
            who = manifest.identities[row]
            assert json.loads(text) == {
                "key": manifest.keys[row],
                "identity": who,
                "label": list(said["identities"]).index(who),
            }
            row += 1
    assert row == said["images"] == 9
    assert said["identities"] == {"ada": 3, "bøb": 3, "e v.e": 3}
    assert (said["dataset"], said["namespace"]) == ("folder", "staff")


def test_the_same_dataset_gives_the_same_bytes(source, tmp_path):
    convert(source, tmp_path / "cache", tmp_path / "one", images_per_shard=4)
    os.utime(tmp_path / "faces" / "ada" / "0.x.jpeg")
    convert(source, tmp_path / "cache2", tmp_path / "two", images_per_shard=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == {"manifest.json", *(f"shard-{number:06d}.tar" for number in range(3))}


def test_shards_convert_to_the_same_shards(source, tmp_path):
    convert(source, tmp_path / "cache", tmp_path / "one", images_per_shard=4)
    convert(Shards(root=tmp_path / "one"), tmp_path / "cache", tmp_path / "two", images_per_shard=4)
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    del one["manifest.json"], two["manifest.json"]  # says which dataset was converted
    assert one == two


def test_records_and_verification_sets_keep_their_digests(tmp_path):
    sign = struct.pack("<I", 0xCED7230A)
    rec, idx = b"", ""
    for number in range(5):
        record = struct.pack("<IfQQ", 0, number // 2, number, 0) + image(number)
        idx += f"{number}\t{len(rec)}\n"
        rec += sign + struct.pack("<I", len(record)) + record + bytes(-len(record) % 4)
    (tmp_path / "train.rec").write_bytes(rec)
    (tmp_path / "train.idx").write_text(idx)
    (tmp_path / "x.bin").write_bytes(pickle.dumps(([image(seed) for seed in range(4)], [True, False]), 0))
    for place, source in enumerate((Recordio(root=tmp_path), Bin(root=tmp_path / "x.bin"))):
        convert(source, tmp_path / "cache", tmp_path / f"out-{place}")
        after = Shards(root=tmp_path / f"out-{place}")
        assert after.scan(tmp_path / "cache").digest == source.scan(tmp_path / "cache").digest
        assert after.namespace == source.namespace


@pytest.mark.parametrize("name", ["lfw", "casia"])
def test_shards_know_the_names_that_their_source_knew(source, tmp_path, name):
    """A subject of another dataset is known by name only."""
    (tmp_path / "names.txt").write_text("ada Ada Low\nbøb Bo Bay\n", encoding="utf-8")
    given = {"names_file": tmp_path / "names.txt"} if name == "casia" else {}
    source = resolve("data", {"name": name, "root": source.root, **given})
    people = ("ada", "bøb", "e v.e")
    known = {"casia": {"ada": "adalow", "bøb": "bobay"}, "lfw": {"ada": "ada", "bøb": "bob", "e v.e": "eve"}}[name]
    assert source.names(people) == known
    convert(source, tmp_path / "cache", tmp_path / "one")
    convert(Shards(root=tmp_path / "one"), tmp_path / "cache", tmp_path / "two")
    (tmp_path / "names.txt").unlink()
    assert Shards(root=tmp_path / "one").names(people) == known
    assert Shards(root=tmp_path / "two", space="else").names(people) == known
    said = json.loads((tmp_path / "one" / "manifest.json").read_text())
    del said["names"]  # as written before
    (tmp_path / "one" / "manifest.json").write_text(json.dumps(said))
    assert Shards(root=tmp_path / "one").names(people) == (known if name == "lfw" else {})


def test_drawn_faces_lose_only_their_labels(tmp_path):
    source = Drawn(subjects=2, shots=2, size=64)
    facts = convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=3)
    after = Shards(root=tmp_path / "out").scan(tmp_path / "cache")
    data, drawn = Shards(root=tmp_path / "out").build(after), source.build(source.manifest(tmp_path / "cache"))
    for row in range(4):
        assert np.array_equal(data.image(row), drawn.image(row))
    assert after.digest == facts["digest"]
    assert not facts["original"]
    assert set(facts["columns_left_out"]) == set(source.columns(drawn.manifest)) != set()
    assert after.keys == drawn.manifest.keys


def test_a_dataset_without_subjects_is_not_converted(tmp_path):
    with pytest.raises(ValueError, match="fairface has labels but no subjects, and shards keep only subjects"):
        convert(FairFace(root=tmp_path), tmp_path / "cache", tmp_path / "out")


def test_a_shard_is_closed_after_so_many_bytes(source, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MIB", 4000)
    assert convert(source, tmp_path / "cache", tmp_path / "out", mebibytes_per_shard=1)["shards"] > 2
    monkeypatch.setattr(module, "MIB", 1)
    facts = convert(source, tmp_path / "cache", tmp_path / "tiny", mebibytes_per_shard=1)
    assert facts["shards"] == facts["images"] == 9
    assert Shards(root=tmp_path / "tiny").scan(tmp_path / "cache").digest == facts["digest"]


def test_bad_images_are_left_out_and_named(source, tmp_path):
    (tmp_path / "faces" / "ada" / "1.x.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1\.x\.png: the file is empty"):
        convert(source, tmp_path / "cache", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    skip = source.model_copy(update={"on_bad_image": "skip"})
    facts = convert(skip, tmp_path / "cache", tmp_path / "out")
    assert facts["skipped"] == {"ada/1.x.png": "the file is empty"}
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["skipped"] == facts["skipped"]
    assert Shards(root=tmp_path / "out").scan(tmp_path / "cache").digest == skip.scan(tmp_path / "cache").digest


@pytest.mark.parametrize("stop", range(9))
def test_an_interrupted_conversion_leaves_nothing_and_goes_on(source, tmp_path, monkeypatch, stop):
    convert(source, tmp_path / "cache", tmp_path / "whole", images_per_shard=2)

    def interrupt(done, total):
        if done == stop + 1:  # the images were scanned, so this is the conversion
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=2, progress=interrupt)
    assert not (tmp_path / "out").exists()
    reads = []
    honest = StoredImages.data
    monkeypatch.setattr(StoredImages, "data", lambda self, index: reads.append(index) or honest(self, index))
    convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=2)
    assert reads == list(range(stop // 2 * 2, 9))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("damage", ["settings", "state", "shard", "source", "encoded"])
def test_what_an_interrupted_conversion_left_is_used_only_where_it_fits(source, tmp_path, damage):
    def interrupt(done, total):
        if done == 5:
            raise KeyboardInterrupt

    if damage == "encoded":
        source = Drawn(subjects=2, shots=4, size=64)
    source.scan(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=2, progress=interrupt)
    partial, size = tmp_path / ".out.partial", 2
    if damage == "settings":
        size = 4
    elif damage == "state":
        (partial / "state.json").write_text("{")
    elif damage == "shard":
        (partial / "shard-000000.tar").write_bytes(b"")
    elif damage == "source":
        (tmp_path / "faces" / "ada" / "0.x.jpeg").write_bytes(image(99))
    facts = convert(source, tmp_path / "cache", tmp_path / "out", images_per_shard=size)
    convert(source, tmp_path / "cache", tmp_path / "fresh", images_per_shard=size)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert Shards(root=tmp_path / "out").scan(tmp_path / "cache").digest == facts["digest"]


def test_a_target_that_is_there_is_left_alone(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="out: is there already; remove it or name another folder"):
        convert(source, tmp_path / "cache", tmp_path / "out")
    (tmp_path / "out" / "thesis.tex").unlink()
    assert convert(source, tmp_path / "cache", tmp_path / "out")["images"] == 9


def test_two_conversions_to_one_target_do_not_meet(source, tmp_path):
    (tmp_path / ".out.partial").mkdir()
    handle = os.open(tmp_path / ".out.partial", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(ValueError, match="out: another process is converting to it"):
        convert(source, tmp_path / "cache", tmp_path / "out")
    os.close(handle)
    assert convert(source, tmp_path / "cache", tmp_path / "out")["images"] == 9


def test_an_image_that_changes_meanwhile_is_refused(source, tmp_path):
    source.scan(tmp_path / "cache")
    name = sorted((tmp_path / "faces" / "bøb").iterdir())[0]

    def replace(done, total):
        if done == 2:
            name.write_bytes(image(7))

    with pytest.raises(ValueError, match="the file changed after it was scanned"):
        convert(source, tmp_path / "cache", tmp_path / "out", progress=replace)
    assert not (tmp_path / "out").exists()


def test_progress_counts_up_and_nonsense_is_refused(source, tmp_path):
    source.scan(tmp_path / "cache")
    seen = []
    convert(source, tmp_path / "cache", tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 9) for done in range(1, 10)]
    with pytest.raises(ValueError, match="both must be 1 at least"):
        convert(source, tmp_path / "cache", tmp_path / "x", images_per_shard=0)
    with pytest.raises(ValueError, match="no folder"):
        convert(Folder(root=tmp_path / "none"), tmp_path / "cache", tmp_path / "x")

import hashlib
import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from datamodules.datasets.bin import BinDatasetConfig


def jpeg(seed):
    packed = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)).save(packed, "JPEG")
    return packed.getvalue()


IMAGES = [jpeg(seed) for seed in range(6)]
SAME = [True, False, True]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps((IMAGES, SAME), 2))
    return tmp_path / "lfw.bin"


def forms():
    arrays = [np.frombuffer(image, np.uint8) for image in IMAGES]
    for protocol in range(6):
        yield f"bytes {protocol}", pickle.dumps((IMAGES, SAME), protocol)
        yield f"arrays {protocol}", pickle.dumps((arrays, np.array(SAME)), protocol)
    yield "columns", pickle.dumps([tuple(array[:, None] for array in arrays), [np.bool_(same) for same in SAME]])
    yield "ones", pickle.dumps((IMAGES, [1, 0, 1]))


FORMS = dict(forms())


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_images_come_back_whatever_the_form(tmp_path, data):
    (tmp_path / "x.bin").write_bytes(data)
    config = BinDatasetConfig(root=tmp_path / "x.bin")
    found = config.scan(tmp_path / "cache")
    assert found.digests == tuple(hashlib.sha256(image).hexdigest() for image in IMAGES)
    dataset = config.build(found)
    assert [dataset.data(row) for row in range(6)] == IMAGES
    assert np.array_equal(dataset.image(5), np.array(Image.open(io.BytesIO(IMAGES[5]))))
    assert config.manifest(tmp_path / "cache") == found


def test_each_pair_has_subjects_of_its_own(file, tmp_path):
    found = BinDatasetConfig(root=file).scan(tmp_path / "cache")
    assert found.keys == ("pair-000000/0", "pair-000000/1", "pair-000001/0", "pair-000001/1", "pair-000002/0", "pair-000002/1")
    who = found.identities
    assert (who[0] == who[1], who[2] == who[3], who[4] == who[5]) == tuple(SAME)
    assert len(set(who)) == 4


def test_subjects_of_two_files_are_never_the_same(file, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "lfw.bin").write_bytes(pickle.dumps((IMAGES[::-1], SAME), 2))
    one, other = BinDatasetConfig(root=file), BinDatasetConfig(root=tmp_path / "other" / "lfw.bin")
    assert one.namespace == other.namespace
    assert not set(one.scan(tmp_path / "cache").identities) & set(other.scan(tmp_path / "cache").identities)
    moved = BinDatasetConfig(root=file.rename(tmp_path / "moved.bin"))
    assert moved.scan(tmp_path / "cache2").digest == one.build(moved.manifest(tmp_path / "cache2")).manifest.digest
    assert moved.identity() == one.identity()


def test_a_bad_image_is_named_with_its_place_or_skipped(tmp_path):
    images = [*IMAGES[:3], IMAGES[3][:-40], b"", IMAGES[5]]
    (tmp_path / "x.bin").write_bytes(pickle.dumps((images, SAME)))
    with pytest.raises(ValueError, match=r"x\.bin, offset \d+ \(pair-000001/1\): .*; 2 of 6 images cannot be read"):
        BinDatasetConfig(root=tmp_path / "x.bin").scan(tmp_path / "cache")
    found = BinDatasetConfig(root=tmp_path / "x.bin", on_bad_image="skip").scan(tmp_path / "cache")
    assert set(found.skipped) == {"pair-000001/1", "pair-000002/0"}
    assert BinDatasetConfig(root=tmp_path / "x.bin").build(found).data(3) == IMAGES[5]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ((IMAGES, SAME[:2]), "2 pairs need 4 images, found 6"),
        ((IMAGES[:5], SAME), "3 pairs need 6 images, found 5"),
        (([], []), "a list of no pairs"),
        (IMAGES, "expected a pair of lists"),
        ((IMAGES, SAME, []), "expected a pair of lists"),
        (b"abc", "expected a pair of lists"),
        ((IMAGES, 3), "expected a list of truth values, found 3"),
        ((IMAGES, [True, 2, False]), "item 1 of the list of truth values is 2"),
        ((IMAGES, [True, None, False]), "item 1 of the list of truth values is of type NoneType"),
        (([*IMAGES[:5], "text"], SAME), "image 5 is of type Text"),
        (([*IMAGES[:5], np.zeros((2, 2, 3), np.uint8)], SAME), r"image 5 is an array of type u1 and shape \(2, 2, 3\)"),
        ((np.zeros((6, 4), np.uint8), SAME), "expected a list of images"),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(tmp_path, value, why):
    (tmp_path / "x.bin").write_bytes(pickle.dumps(value))
    with pytest.raises(ValueError, match=rf"x\.bin, offset \d+.*{why}"):
        BinDatasetConfig(root=tmp_path / "x.bin").scan(tmp_path / "cache")


def test_a_hostile_file_is_refused_and_not_executed(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/executed",)

    (tmp_path / "x.bin").write_bytes(pickle.dumps(([Hostile(), IMAGES[0]], [True])))
    with pytest.raises(ValueError, match=r"x\.bin, offset \d+: the pickle would import posix\.system"):
        BinDatasetConfig(root=tmp_path / "x.bin").scan(tmp_path / "cache")
    assert not (tmp_path / "executed").exists()


def test_a_file_that_ends_anywhere_is_refused(tmp_path):
    data = pickle.dumps(([b"ab", b"cd"], [True]), 2)
    for length in range(len(data)):
        (tmp_path / "x.bin").write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"x\.bin, offset \d+: "):
            BinDatasetConfig(root=tmp_path / "x.bin").scan(tmp_path / "cache")


def test_what_is_missing_is_said(tmp_path):
    assert "no file" in BinDatasetConfig(root=tmp_path / "none.bin").missing().what
    with pytest.raises(ValueError, match=r"no file .*none\.bin; such files come with"):
        BinDatasetConfig(root=tmp_path / "none.bin").manifest(tmp_path / "cache")

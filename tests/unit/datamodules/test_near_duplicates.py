import io

import cv2
import numpy as np
import pytest
from PIL import Image

from datamodules import near_duplicates
from datamodules.images import read_image
from datamodules.near_duplicates import Prints, image_print, near


def prints_of(images):
    found = [image_print(image) for image in images]
    return Prints(
        *(np.array(column, kind) for column, kind in zip(zip(*found, strict=True), (np.uint64, np.uint8, bool), strict=True))
    )


def jpeg(image, quality):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    return np.array(Image.open(data))


@pytest.fixture(scope="module")
def faces(shared):
    folders = sorted((shared / "data" / "lfw" / "images").iterdir())
    return [read_image(sorted(folder.iterdir())[0]) for folder in folders[:400]]


def test_a_copy_is_found_however_it_was_stored(faces):
    copies = [
        jpeg(faces[0], 40),
        cv2.resize(faces[1], (112, 112), interpolation=cv2.INTER_AREA),
        cv2.resize(faces[2], (400, 400)),
    ]
    copies.append(np.clip(faces[3].astype(int) + 12, 0, 255).astype(np.uint8))
    pairs, distance = near(prints_of(faces), prints_of(copies), 4)
    assert pairs.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert (distance <= 4).all()


def test_other_subjects_are_not_copies(faces):
    pairs, _ = near(prints_of(faces[:200]), prints_of(faces[200:]), 6)
    assert pairs.tolist() == []


def test_uniform_images_are_not_compared():
    flat = prints_of([np.full((20, 20, 3), value, np.uint8) for value in (0, 100, 255)])
    assert not flat.structured.any()
    assert near(flat, flat)[0].shape == (0, 2)


@pytest.mark.parametrize("bits", [0, 1, 3, 4, 7, 15])
@pytest.mark.parametrize("most", [5, 1 << 22])
def test_the_search_finds_what_comparing_all_finds(monkeypatch, bits, most):
    monkeypatch.setattr(near_duplicates, "PAIRS", most)
    rng = np.random.default_rng(bits)
    base = rng.integers(0, 2**64, 30, np.uint64)
    flips = [sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, 18), replace=False)) for _ in range(120)]
    ours, theirs = base, np.array([int(base[i % 30]) ^ flip for i, flip in enumerate(flips)], np.uint64)
    thumbs = np.tile(np.arange(256, dtype=np.uint8), (120, 1))
    left = Prints(ours, thumbs[:30], np.ones(30, bool))
    right = Prints(theirs, thumbs, np.arange(120) != 7)
    pairs, distance = near(left, right, bits)
    all_bits = np.bitwise_count(ours[:, None] ^ theirs[None, :]).astype(int)
    wanted = [[a, b] for a in range(30) for b in range(120) if all_bits[a, b] <= bits and b != 7]
    assert pairs.tolist() == wanted
    assert distance.tolist() == [all_bits[a, b] for a, b in wanted]


def test_bits_have_a_range():
    nothing = Prints(np.zeros(0, np.uint64), np.zeros((0, 256), np.uint8), np.zeros(0, bool))
    with pytest.raises(ValueError, match="from 0 to 15, found 16"):
        near(nothing, nothing, 16)
    assert near(nothing, nothing)[0].shape == (0, 2)


def test_thumbnails_must_confirm_a_hash():
    hashes = np.array([5], np.uint64)
    rng = np.random.default_rng(0)
    one, other = (Prints(hashes, rng.integers(0, 255, (1, 256), np.uint8), np.ones(1, bool)) for _ in range(2))
    assert near(one, other)[0].tolist() == []
    assert near(one, one)[0].tolist() == [[0, 0]]


def test_a_dataset_is_hashed_row_by_row(tmp_path):
    from datamodules.datasets.drawn import DrawnDatasetConfig
    from datamodules.near_duplicates import prints

    config = DrawnDatasetConfig(subjects=2, shots=2)
    dataset = config.build(config.manifest(tmp_path))
    seen = []
    found = prints(dataset, lambda done, total: seen.append((done, total)))
    assert len(found) == 4
    assert seen[-1] == (4, 4)
    assert int(found.hashes[2]) == image_print(dataset.image(2))[0]


@pytest.mark.parametrize(("one", "other"), [("Bart_Hendricks", "Ricky_Ray"), ("Emmy_Rossum", "Eva_Amurri")])
def test_photographs_that_lfw_has_under_two_names_are_found(shared, one, other):
    """One photograph under two names, of subjects who are not the same."""
    folder = shared / "data" / "lfw" / "images"
    both = [prints_of([read_image(folder / who / f"{who}_0001.jpg")]) for who in (one, other)]
    assert near(*both)[0].tolist() == [[0, 0]]


def test_damaged_prints_are_none(tmp_path):
    made = Prints(np.arange(3, dtype=np.uint64), np.zeros((3, 256), np.uint8), np.ones(3, bool))
    path = tmp_path / "prints.npz"
    made.save(path)
    assert np.array_equal(Prints.load(path).hashes, made.hashes)
    data = path.read_bytes()
    for damaged in (b"", data[: len(data) // 2], data[:300] + bytes([data[300] ^ 1]) + data[301:]):
        path.write_bytes(damaged)
        assert Prints.load(path) is None

import pickle

import numpy as np
import pytest

from configs.lookup import known
from datamodules.crops import crops
from datamodules.detection import MISSED, Detection, Detections
from datamodules.detectors import mtcnn, none
from datamodules.manifest import Manifest

COUNT = 5
FACE = Detection(True, (10.0, 5.0, 40.0, 45.0), 0.9)
ROOM = 10**6


class Images:
    """A dataset that counts what is read from it."""

    def __init__(self):
        keys = tuple(f"p{index}/1" for index in range(COUNT))
        self.manifest = Manifest(keys, keys, (60,) * COUNT, (50,) * COUNT, keys)
        self.reads = 0

    def __len__(self):
        return COUNT

    def image(self, index):
        self.reads += 1
        return np.random.default_rng(index).integers(0, 256, (50, 60, 3), np.uint8)


@pytest.fixture
def images():
    return Images()


@pytest.fixture
def faces(images):
    return Detections.of(images.manifest.keys, [FACE, FACE, MISSED, FACE, MISSED])


def expected(images, faces, config, size=16):
    return np.stack([config.build().crop(images.image(row), faces.at(row), size) for row in range(COUNT)])


@pytest.mark.parametrize("limit", [ROOM, 0])
def test_row_i_is_the_crop_of_image_i(images, faces, tmp_path, limit):
    config = mtcnn.MTCNNConfig(margin=4)
    table = crops(images, faces, config, 16, tmp_path / "cache", limit)
    assert len(table) == COUNT
    assert np.array_equal(np.stack([table[row] for row in range(COUNT)]), expected(images, faces, config))
    assert table[0].dtype == np.uint8
    assert isinstance(table.source, np.memmap) == (limit > 0)
    assert (tmp_path / "cache").exists() == (limit > 0)


def test_crops_are_computed_once(images, faces, tmp_path):
    crops(images, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    assert images.reads == COUNT
    table = crops(images, faces, mtcnn.MTCNNConfig(on_missing_face="drop"), 32, tmp_path, ROOM)
    assert table[0].shape == (32, 32, 3)
    assert images.reads == COUNT


def test_whatever_decides_pixels_has_its_own_file(images, faces, tmp_path):
    other = Detections.of(faces.keys, [FACE] * COUNT)
    changed = Images()
    changed.manifest = Manifest(
        images.manifest.keys, images.manifest.keys, images.manifest.widths, images.manifest.heights, ("x",) * COUNT
    )
    crops(images, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    crops(images, faces, mtcnn.MTCNNConfig(margin=0), 32, tmp_path, ROOM)
    crops(images, faces, mtcnn.MTCNNConfig(), 24, tmp_path, ROOM)
    crops(images, other, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    crops(images, faces, none.NoDetectorConfig(), 32, tmp_path, ROOM)
    crops(changed, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    assert len(list(tmp_path.iterdir())) == 6


def test_detections_may_stand_in_another_order(images, faces, tmp_path):
    turned = Detections.of(faces.keys[::-1], [faces.at(row) for row in range(COUNT)][::-1])
    one = crops(images, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    reads = images.reads
    other = crops(images, turned, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    assert images.reads == reads
    assert np.array_equal(one[3], other[3])


@pytest.mark.parametrize(("policy", "kept"), [("center_crop", [0, 1, 2, 3, 4]), ("drop", [0, 1, 3])])
def test_the_policy_for_missing_faces_decides_which_rows_remain(images, faces, tmp_path, policy, kept):
    table = crops(images, faces, mtcnn.MTCNNConfig(on_missing_face=policy), 32, tmp_path, ROOM)
    assert table.kept.tolist() == kept
    assert table.missing == 2
    assert len(table) == COUNT


@pytest.mark.parametrize("alignment", known("alignment"))
def test_every_alignment_obeys_every_policy(images, tmp_path, alignment):
    points = ((15.0, 18.0), (33.0, 19.0), (24.0, 28.0), (17.0, 36.0), (31.0, 37.0))
    face = Detection(True, (10.0, 5.0, 40.0, 45.0), 0.9, points)
    faces = Detections.of(images.manifest.keys, [face, face, MISSED, face, MISSED])
    for policy, kept in (("center_crop", [0, 1, 2, 3, 4]), ("drop", [0, 1, 3])):
        config = mtcnn.MTCNNConfig(alignment=alignment, on_missing_face=policy)
        table = crops(images, faces, config, (32, 28), tmp_path, ROOM)
        assert table.kept.tolist() == kept
        assert table.missing == 2
        assert np.array_equal(np.stack([table[row] for row in range(COUNT)]), expected(images, faces, config, (32, 28)))
    with pytest.raises(ValueError, match=r"no face found in p2/1; 2 of 5 images have none"):
        crops(images, faces, mtcnn.MTCNNConfig(alignment=alignment, on_missing_face="fail"), 32, tmp_path, ROOM)


def test_each_alignment_has_its_own_file(images, tmp_path):
    points = ((15.0, 18.0), (33.0, 19.0), (24.0, 28.0), (17.0, 36.0), (31.0, 37.0))
    faces = Detections.of(images.manifest.keys, [Detection(True, (10.0, 5.0, 40.0, 45.0), 0.9, points)] * COUNT)
    for alignment in known("alignment"):
        crops(images, faces, mtcnn.MTCNNConfig(alignment=alignment), 32, tmp_path, ROOM)
    assert len(list(tmp_path.iterdir())) == len(known("alignment"))


def test_the_policy_fail_names_the_first_and_counts_all(images, faces, tmp_path):
    with pytest.raises(ValueError, match=r"no face found in p2/1; 2 of 5 images have none"):
        crops(images, faces, mtcnn.MTCNNConfig(on_missing_face="fail"), 32, tmp_path, ROOM)


def test_an_image_without_detection_is_named(images, tmp_path):
    with pytest.raises(ValueError, match="no detection for the image p1/1"):
        crops(images, Detections.of(["p0/1"], [FACE]), mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)


def test_a_pickled_table_opens_the_file_instead_of_carrying_it(images, faces, tmp_path):
    table = crops(images, faces, mtcnn.MTCNNConfig(), 64, tmp_path, ROOM)
    data = pickle.dumps(table)
    assert len(data) < 5000 < COUNT * 64 * 64 * 3
    copy = pickle.loads(data)
    assert isinstance(copy.source, np.memmap)
    assert np.array_equal(copy[4], table[4])
    assert copy.kept.tolist() == table.kept.tolist()


def test_a_crop_may_be_written_to(images, faces, tmp_path):
    table = crops(images, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM)
    table[0][:] = 0
    assert table[0].any()


def test_progress_counts_images(images, faces, tmp_path):
    seen = []
    crops(images, faces, mtcnn.MTCNNConfig(), 32, tmp_path, ROOM, lambda done, total: seen.append((done, total)))
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]


@pytest.mark.parametrize("limit", [ROOM, 0])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda crop: None, "crop returned None"),
        (lambda crop: crop[:-1], r"crop returned ndarray uint8 \(15, 16, 3\)"),
        (lambda crop: crop / 255, r"crop returned ndarray float64 \(16, 16, 3\)"),
        (lambda crop: crop[:, :, 0], r"crop returned ndarray uint8 \(16, 16\)"),
    ],
)
def test_a_wrong_crop_names_the_detector(images, faces, tmp_path, monkeypatch, limit, wrong, said):
    right = none.Center.crop
    monkeypatch.setattr(none.Center, "crop", lambda self, image, face, size: wrong(right(self, image, face, size)))
    with pytest.raises(ValueError, match=rf"^detector 'none': {said}; expected a numpy array uint8 \(16, 16, 3\); see "):
        crops(images, faces, none.NoDetectorConfig(), 16, tmp_path, limit)[0]

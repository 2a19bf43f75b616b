from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from configs.lookup import known, resolve
from datamodules.detection import MISSED, Detection, Detections
from datamodules.detectors.mtcnn import MTCNNConfig, choose
from datamodules.images import read_image

EMPTY = np.zeros((60, 80, 3), np.uint8)


@pytest.fixture(scope="module")
def images(shared):
    files = sorted((shared / "data" / "lfw" / "images").glob("*/*.jpg"))[::662]
    upright = [read_image(file) for file in files][:20]
    turned = [np.rot90(image[60:190, 60:190], turns).copy() for image in upright[:5] for turns in (1, 2)]
    double = [np.concatenate(upright[place : place + 2], axis=1) for place in (2, 4)]
    return [*upright, *turned, *double, EMPTY]


@pytest.fixture(scope="module")
def detector():
    return MTCNNConfig().build()


@pytest.fixture(scope="module")
def alone(detector, images):
    return [found for image in images for found in detector.detect([image])]


def test_faces_are_found_where_they_are(alone):
    upright = alone[:20]
    assert sum(found.found for found in upright) == 20
    for found in upright:
        x0, y0, x1, y1 = found.box
        assert x0 < 125 < x1
        assert y0 < 125 < y1
        assert 0.7 < found.score <= 1
        assert all(x0 < x < x1 and y0 < y < y1 for x, y in found.landmarks)


def test_an_image_without_a_face_is_missed(alone):
    assert alone[-1] == MISSED


@pytest.mark.parametrize(("group", "threads"), [(7, 2), (32, 1)])
def test_boxes_do_not_depend_on_grouping_order_or_threads(detector, images, alone, tmp_path, group, threads):
    order = np.random.default_rng(group).permutation(len(images))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        groups = [order[start : start + group] for start in range(0, len(order), group)]
        found = [item for rows in groups for item in detector.detect([images[row] for row in rows])]
        assert torch.get_num_threads() == threads
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == threads
    finally:
        torch.set_num_threads(before)
    back = [found[place] for place in np.argsort(order)]
    keys = [str(row) for row in range(len(images))]
    Detections.of(keys, alone).save(tmp_path / "alone")
    Detections.of(keys, back).save(tmp_path / "group")
    assert (tmp_path / "alone").read_bytes() == (tmp_path / "group").read_bytes()


def test_shards_make_the_table_that_one_pass_makes(images, alone):
    keys = [str(row) for row in range(len(images))]
    parts = []
    for start in range(4):
        rows = range(start, len(images), 4)
        parts.append(Detections.of([keys[row] for row in rows], MTCNNConfig().build().detect([images[row] for row in rows])))
    joined = Detections.concat(parts)
    assert Detections.of(keys, [joined.row(key) for key in keys]).digest == Detections.of(keys, alone).digest


def test_detections_are_those_of_facenet_pytorch(images, alone):
    from facenet_pytorch import MTCNN

    peer = MTCNN(selection_method="center_weighted_size")
    for image, found in list(zip(images, alone, strict=True))[::3]:
        canvas = Image.fromarray(image)
        boxes, scores, points = peer.detect(canvas, landmarks=True)
        boxes, scores, points = peer.select_boxes(boxes, scores, points, canvas, method="center_weighted_size")
        assert found.found == (boxes is not None)
        if boxes is not None:
            assert np.allclose(np.array(boxes[0], float), found.box, atol=1e-3)
            assert np.allclose(np.array(points[0], float), found.landmarks, atol=1e-3)


def test_nothing_is_written_to_the_terminal(images, capfd):
    MTCNNConfig().build().detect(images[:1])
    assert capfd.readouterr() == ("", "")


def test_an_image_smaller_than_the_smallest_face_is_missed(detector):
    for side in (1, 11, 19):
        assert detector.detect([np.full((side, 300, 3), 90, np.uint8)]) == [MISSED]
    assert detector.detect([np.full((20, 20, 3), 90, np.uint8)]) == [MISSED]
    assert detector.detect([]) == []


@pytest.mark.parametrize("name", known("alignment"))
def test_the_crop_is_that_of_the_alignment(name):
    image = np.random.default_rng(0).integers(0, 256, (120, 140, 3), np.uint8)
    points = ((50.0, 50.0), (80.0, 52.0), (66.0, 70.0), (52.0, 85.0), (78.0, 86.0))
    for found in (Detection(True, (40.0, 30.0, 90.0, 100.0), 0.9, points), MISSED):
        crop = MTCNNConfig(alignment=name).build().crop(image, found, 64)
        assert np.array_equal(crop, resolve("alignment", name).build().crop(image, found, 64))


def test_margin_is_short_for_the_box_alignments():
    for same in ({"name": "box", "margin": 8}, resolve("alignment", {"name": "box", "margin": 8})):
        assert MTCNNConfig(margin=8) == MTCNNConfig(alignment=same) == MTCNNConfig(margin=8, alignment=same)
    assert MTCNNConfig(margin=8, alignment="box") == MTCNNConfig(margin=8)
    assert MTCNNConfig().alignment.margin == 20


def test_the_identity_of_a_box_is_what_it_was_before_there_were_alignments():
    assert MTCNNConfig(margin=8).identity() == {
        "on_missing_face": "center_crop",
        "name": "mtcnn",
        "margin": 8,
        "selection_method": "center_weighted_size",
        "min_face_size": 20,
        "thresholds": [0.6, 0.7, 0.7],
        "factor": 0.709,
    }
    other = MTCNNConfig(alignment="similarity").identity()
    assert other["alignment"] == {"name": "similarity"}
    assert "margin" not in other


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"margin": 8, "alignment": "similarity"}, "margin 8 is of the alignment box, and the alignment is 'similarity'"),
        ({"margin": 8, "alignment": {"name": "frontal3d"}}, "alignment is 'frontal3d'.*leave margin out"),
        ({"margin": 8, "alignment": {"name": "box", "margin": 9}}, "margin is 8 and alignment.margin is 9"),
        ({"margin": -1}, "margin"),
        ({"alignment": "boxx"}, "unknown alignment 'boxx'; did you mean 'box'"),
    ],
)
def test_a_margin_that_says_nothing_is_refused(given, complaint):
    with pytest.raises(ValueError, match=complaint):
        MTCNNConfig(**given)


def test_crop_settings_are_no_part_of_the_detection():
    base = MTCNNConfig()
    for same in (MTCNNConfig(margin=4), MTCNNConfig(alignment="similarity"), MTCNNConfig(on_missing_face="drop")):
        assert same.detection() == base.detection()
        assert same.identity() != base.identity()
    changes = ({"selection_method": "largest"}, {"min_face_size": 40}, {"thresholds": (0.5, 0.7, 0.7)}, {"factor": 0.5})
    for change in changes:
        assert MTCNNConfig(**change).detection() != base.detection()


BOXES = np.array([[0, 0, 10, 10], [40, 40, 49, 49], [0, 0, 30, 30], [0, 0, 30, 30]], np.float32)
SCORES = np.array([0.99, 0.95, 0.85, 0.85], np.float32)


@pytest.mark.parametrize(
    ("method", "row"), [("probability", 0), ("largest", 2), ("largest_over_threshold", 0), ("center_weighted_size", 1)]
)
def test_a_selection_method_chooses_its_face(method, row):
    assert choose(BOXES, SCORES, (90, 90), method) == row


def test_where_nothing_qualifies_nothing_is_chosen():
    assert choose(BOXES[2:], SCORES[2:], (90, 90), "largest_over_threshold") is None
    assert choose(BOXES[:0], SCORES[:0], (90, 90), "probability") is None

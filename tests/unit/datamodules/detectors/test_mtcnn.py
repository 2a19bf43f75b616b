from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules.cutting import centred_square, cut
from datamodules.detection import MISSED, Detection, Detections
from datamodules.detectors.mtcnn import Config, choose
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
    return Config().build()


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


def test_detections_are_those_of_facenet_pytorch(images, alone):
    from facenet_pytorch import MTCNN

    peer = MTCNN(selection_method="center_weighted_size")
    for image, found in list(zip(images, alone, strict=True))[::3]:
        picture = Image.fromarray(image)
        boxes, scores, points = peer.detect(picture, landmarks=True)
        boxes, scores, points = peer.select_boxes(boxes, scores, points, picture, method="center_weighted_size")
        assert found.found == (boxes is not None)
        if boxes is not None:
            assert np.allclose(np.array(boxes[0], float), found.box, atol=1e-3)
            assert np.allclose(np.array(points[0], float), found.landmarks, atol=1e-3)


def test_nothing_is_written_to_the_terminal(images, capfd):
    Config().build().detect(images[:1])
    assert capfd.readouterr() == ("", "")


def test_an_image_smaller_than_the_smallest_face_is_missed(detector):
    for side in (1, 11, 19):
        assert detector.detect([np.full((side, 300, 3), 90, np.uint8)]) == [MISSED]
    assert detector.detect([np.full((20, 20, 3), 90, np.uint8)]) == [MISSED]
    assert detector.detect([]) == []


@pytest.mark.parametrize("margin", [0, 20])
@pytest.mark.parametrize("box", [(80.3, 70.9, 165.2, 180.7), (-9.5, 30.0, 120.0, 260.0), (100.0, 100.0, 140.0, 150.0)])
def test_crops_are_those_of_facenet_pytorch(margin, box):
    from facenet_pytorch.models.utils.detect_face import extract_face

    image = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    found = Config(margin=margin).build().crop(image, Detection(True, box, 1.0), 64)
    peer = extract_face(image, np.array(box), 64, margin).permute(1, 2, 0).numpy()
    if min(box[2] - box[0], box[3] - box[1]) > 64:
        assert np.array_equal(found, peer)
    else:  # where the crop grows, only what is cut is the same: we interpolate linearly
        assert np.abs(found - peer).mean() < 12


@pytest.mark.parametrize("size", [40, 64, 160])
def test_the_margin_surrounds_the_box_in_pixels_of_the_crop(size):
    image = np.zeros((400, 400, 3), np.uint8)
    image[100:300, 100:300] = 255
    crop = Config(margin=20).build().crop(image, Detection(True, (100, 100, 300, 300), 1.0), size)
    inside = (crop[size // 2, :, 0] > 127).sum()
    assert abs(int(inside) - (size - 20)) <= 1


def test_a_margin_that_leaves_no_face_is_refused():
    with pytest.raises(ValueError, match="margin 64 must be smaller than the crop of 64"):
        Config(margin=64).build().crop(EMPTY, Detection(True, (0, 0, 9, 9), 1.0), 64)


def test_a_face_that_was_not_found_is_cut_from_the_centre():
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert np.array_equal(Config().build().crop(image, MISSED, 30), cut(image, centred_square(image, 0.5), 30))


def test_crop_settings_are_no_part_of_the_detection():
    base = Config()
    for same in (Config(margin=4), Config(on_missing_face="drop")):
        assert same.detection() == base.detection()
        assert same.identity() != base.identity()
    changes = ({"selection_method": "largest"}, {"min_face_size": 40}, {"thresholds": (0.5, 0.7, 0.7)}, {"factor": 0.5})
    for change in changes:
        assert Config(**change).detection() != base.detection()


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

import cv2
import numpy as np
import pytest

from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn
from datamodules.detectors import mtcnn, none
from datamodules.geometry.parts import box_of, points_of
from datamodules.images import read_image

# The template as its authors print it, for 112 x 96: Liu et al., SphereFace, CVPR 2017 (their code).
SPHEREFACE = [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]]


def test_the_template_of_112_x_96_is_the_middle_of_the_square_one():
    assert np.allclose(points_of("aligned", 112, 96), SPHEREFACE)
    assert np.allclose(points_of("aligned", 112, 112), np.add(SPHEREFACE, [8, 0]))
    assert np.allclose(points_of("aligned", 224, 192), 2 * np.array(SPHEREFACE))


@pytest.mark.parametrize("geometry", ["aligned", "deepface", "box", "centered"])
def test_points_are_eyes_above_a_nose_above_a_mouth(geometry):
    points = points_of(geometry, 112, 112)
    left, right, nose, *mouth = points
    assert left[0] < nose[0] < right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth[0][1], mouth[1][1])
    assert mouth[0][0] < nose[0] < mouth[1][0]
    assert (points > 0).all()
    assert (points < 112).all()


def test_boxes_lie_around_their_points_and_the_mouths_not_on_the_nose():
    points = points_of("aligned", 112, 112)
    places = {"left_eye": points[0], "right_eye": points[1], "nose": points[2], "mouth": points[3:].mean(axis=0)}
    for part, (x, y) in places.items():
        x0, y0, x1, y1 = box_of(part, points)
        assert x0 < x < x1
        assert y0 < y < y1
    assert box_of("left_eye", points)[2] < box_of("right_eye", points)[0]
    both = box_of("eyes", points)
    assert both[0] == box_of("left_eye", points)[0]
    assert both[2] == box_of("right_eye", points)[2]
    assert box_of("mouth", points)[1] >= box_of("nose", points)[3] - 3


def test_boxes_of_aligned_crops_cover_the_parts_of_drawn_faces():
    config = Drawn(subjects=12, shots=1, variation=0.0, size=224)
    faces = config.build(config.manifest(None))
    template = points_of("aligned", 112, 112)
    names = {"left_eye": "left eye", "right_eye": "right eye", "nose": "nose", "mouth": "mouth"}
    for index in range(12):
        masks = {part: faces.region(index, name).astype(np.float32) for part, name in names.items()}
        middles = {part: np.argwhere(mask).mean(axis=0)[::-1] for part, mask in masks.items()}
        corners = np.argwhere(masks["mouth"])[:, ::-1]
        seen = [middles["left_eye"], middles["right_eye"], corners[corners[:, 0].argmin()], corners[corners[:, 0].argmax()]]
        move, _ = cv2.estimateAffinePartial2D(np.array(seen), template[[0, 1, 3, 4]], method=cv2.LMEDS)
        for part, mask in masks.items():
            aligned = cv2.warpAffine(mask, move, (112, 112)) > 0.5
            x0, y0, x1, y1 = (round(edge) for edge in box_of(part, template))
            assert aligned[y0:y1, x0:x1].sum() > 0.75 * aligned.sum(), (index, part)


@pytest.mark.parametrize(
    ("geometry", "detector"),
    [
        ("box", mtcnn.MTCNNConfig()),
        ("centered", none.NoDetectorConfig()),
        ("deepface", mtcnn.MTCNNConfig(alignment="align2d")),
        ("deepface", mtcnn.MTCNNConfig(alignment="frontal3d")),
    ],
)
def test_points_of_real_crops_are_where_they_are_said_to_be(shared, geometry, detector):
    folders = sorted((shared / "data" / "lfw" / "images").glob("*"))[100:5000:700]
    finder, cutter = mtcnn.MTCNNConfig().build(), detector.build()
    off = []
    for folder in folders:
        image = read_image(sorted(folder.glob("*.jpg"))[0])
        crop = cutter.crop(image, cutter.detect([image])[0], 160)
        again = finder.detect([crop])[0]
        if again.found:
            off.append(np.array(again.landmarks) - points_of(geometry, 160, 160))
    assert len(off) >= 5
    assert np.abs(np.mean(off, axis=0)).max() < 0.06 * 160

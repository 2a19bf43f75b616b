"""Frontalization, on the drawings whose parts and poses are known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from datamodules.alignments import align2d, frontal3d
from datamodules.detection import MISSED, Detection
from datamodules.detectors.mtcnn import MTCNNConfig as Mtcnn
from datamodules.geometry import camera, face_model, framing
from datamodules.geometry.cutting import stand_in
from datamodules.geometry.fiducials import similarity
from datamodules.synthetic_faces.drawing import draw
from datamodules.synthetic_faces.features import LABEL
from datamodules.synthetic_faces.population import subject
from datamodules.synthetic_faces.shot import View, shot

SIZE, CROP = 200, 152
POSES = [(0.25, 0.0), (-0.25, 0.0), (0.4, 0.0), (-0.4, 0.0), (0.0, 0.22), (0.0, -0.22), (0.3, 0.2)]
PARTS = ("left eye", "right eye", "brows", "nose", "mouth")
SMOOTH = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (160, 170, 3), np.uint8), (0, 0), 4)


def face(points):
    return Detection(True, (0, 0, 1, 1), 0.9, tuple((x, y) for x, y in np.asarray(points, float).tolist()))


def known_landmarks(who, taken):
    """Where the drawing has the pupils, the tip of the nose and the corners of the mouth."""
    view, eyes, mouth = View(taken, who.head.width, SIZE), who.eyes, who.mouth
    points = [view.at(side * eyes.spacing, eyes.height) for side in (-1, 1)]
    points += [view.at(0, who.nose.base - 0.08, 0.16)]
    points += [view.at(side * mouth.width * (1 + 0.16 * taken.smile), mouth.height - 0.07 * taken.smile) for side in (-1, 1)]
    found = view.pixels(np.array(points))
    return face(np.column_stack([found.real, found.imag]) - 0.5)


def centers(alignment, mask, detection):
    """Where the parts are after alignment: (parts, 2) pixels of the crop."""
    found = []
    for part in PARTS:
        shown = np.repeat(np.where(mask == LABEL[part], 255, 0).astype(np.uint8)[..., None], 3, axis=2)
        weight = alignment.crop(shown, detection, CROP)[..., 0].astype(float)
        rows, columns = np.mgrid[:CROP, :CROP]
        found.append([(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()])
    return np.array(found)


@pytest.fixture(scope="module")
def drawings():
    """(subject, frontal shot and drawing, turned shots and drawings) of a few subjects."""
    found = []
    for number in (0, 1, 2, 7, 9):
        who = subject(0, number)
        front = replace(shot(0, number, 1, 0.3), yaw=0.0, pitch=0.0)
        turned = [replace(front, yaw=yaw, pitch=pitch) for yaw, pitch in POSES]
        found.append((who, [(taken, draw(who, taken, SIZE)) for taken in (front, *turned)]))
    return found


def moved(alignment, drawings, marks):
    """How far each turned face's parts are from the frontal face's: (subjects, poses, parts) pixels."""
    found = []
    for who, shots in drawings:
        places = [centers(alignment, drawing.mask, marks(who, taken, drawing)) for taken, drawing in shots]
        found.append([np.hypot(*(place - places[0]).T) for place in places[1:]])
    return np.array(found)


@pytest.fixture(scope="module")
def flat():
    return align2d.Align2DConfig().build()


@pytest.fixture(scope="module")
def deep():
    return frontal3d.Frontal3DConfig(mirror=False).build()


def test_the_parts_of_a_turned_face_come_to_those_of_the_frontal_one(drawings, flat, deep):
    def marks(who, taken, drawing):
        return known_landmarks(who, taken)

    two, three = (moved(alignment, drawings, marks) for alignment in (flat, deep))
    assert three.mean() < 0.45 * two.mean()
    assert (three.mean(axis=(0, 2)) < two.mean(axis=(0, 2))).all()  # in every pose
    assert (three.mean(axis=(0, 1)) < two.mean(axis=(0, 1))).all()  # for every part


def test_so_they_do_with_the_landmarks_that_mtcnn_finds(drawings, flat, deep):
    detector = Mtcnn().build()
    seen = {}

    def marks(who, taken, drawing):
        if id(drawing) not in seen:
            (seen[id(drawing)],) = detector.detect([drawing.image])
        assert seen[id(drawing)].found
        return seen[id(drawing)]

    two, three = (moved(alignment, drawings, marks) for alignment in (flat, deep))
    assert three.mean() < 0.95 * two.mean()


def test_a_frontal_mean_face_stays_as_align2d_puts_it(flat, deep):
    detection = face(framing.frontal(100) * 1.3 + (8, 9))
    one, other = (alignment.crop(SMOOTH, detection, 100) for alignment in (flat, deep))
    assert np.abs(one.astype(int) - other).max() <= 3


def test_pixels_come_from_where_a_triangle_by_triangle_loop_takes_them(deep):
    size, marks = 24, framing.frontal(100) * 1.2 + (20, 14)
    marks[2] += (9, 2)  # the nose of a turned head
    crop = deep.crop(SMOOTH, face(marks), size)
    model = face_model.fiducials()
    back = similarity(model[:, :2], marks)
    seen = camera.fitted((marks - back[:, 2]) @ np.linalg.inv(back[:, :2]).T, model)

    def corner(i, j):
        """A vertex: its place in the crop, and in the image."""
        x, y = i * face_model.STEP, j * face_model.STEP
        z = float(face_model.surface(np.array(x), np.array(y)))
        return np.array([x, y]) * framing.scale(size) + framing.origin(size), back[:, :2] @ (seen @ (x, y, z, 1)) + back[:, 2]

    reached = 0
    for i in range(-25, 25):
        for j in range(-25, 35):
            for triangle in (((i, j), (i + 1, j), (i + 1, j + 1)), ((i, j), (i, j + 1), (i + 1, j + 1))):
                places, sources = (np.array(points) for points in zip(*(corner(*one) for one in triangle), strict=True))
                low, high = np.ceil(places.min(axis=0)), np.floor(places.max(axis=0))
                for row in range(max(0, int(low[1])), min(size - 1, int(high[1])) + 1):
                    for column in range(max(0, int(low[0])), min(size - 1, int(high[0])) + 1):
                        share = np.linalg.solve(np.vstack([places.T, np.ones(3)]), (column, row, 1))
                        if (share < -1e-9).any():
                            continue
                        x, y = share @ sources
                        if not (0 <= x < SMOOTH.shape[1] - 1 and 0 <= y < SMOOTH.shape[0] - 1):
                            continue
                        a, b = int(x), int(y)
                        u, v = x - a, y - b
                        four = SMOOTH[b : b + 2, a : a + 2].astype(float)
                        wanted = (1 - v) * ((1 - u) * four[0, 0] + u * four[0, 1]) + v * ((1 - u) * four[1, 0] + u * four[1, 1])
                        assert np.abs(crop[row, column] - wanted).max() <= 2
                        reached += 1
    assert reached >= 0.6 * size**2


def test_the_far_half_of_a_turned_face_is_its_mirror_image(deep):
    shape = frontal3d.surface(CROP, CROP)
    turn = 0.6  # radians to the right of the image: the left half is in front
    seen = np.array([[np.cos(turn), 0, np.sin(turn), 0], [0, 1, 0, 0]])
    clear = frontal3d.visible(shape, seen)
    left, right = int(0.2 * CROP), int(0.8 * CROP)
    middle = slice(60, 100)
    assert clear[middle, left].mean() > 0.9
    assert clear[middle, right].mean() < 0.4
    assert frontal3d.visible(shape, np.eye(2, 4)).mean() > 0.99  # from the front all is seen
    crop = np.zeros((CROP, CROP, 3), np.uint8)
    crop[:, : CROP // 2] = 200
    filled = frontal3d.blended(crop, clear)
    hidden = clear[:, ::-1][:, : CROP // 2][:, ::-1] == 0
    assert hidden.any()
    assert np.array_equal(frontal3d.blended(crop, np.ones_like(clear)), crop)
    far = clear[70, :] == 0
    assert far[CROP // 2 :].any()
    assert filled[70, far][:, 0].max() > 150


def test_the_side_behind_the_nose_is_hidden():
    shape = frontal3d.surface(CROP, CROP)
    tip = framing.frontal(CROP)[2]
    row, column = round(tip[1]) - 4, round(tip[0])
    turn = 0.9
    clear = frontal3d.visible(shape, np.array([[np.cos(turn), 0, np.sin(turn), 0], [0, 1, 0, 0]]))
    assert clear[row, column - 3] > 0
    assert clear[row, column + 9 : column + 12].max() == 0


def test_a_face_that_was_not_found_is_cut_from_the_center(deep):
    assert np.array_equal(deep.crop(SMOOTH, MISSED, (152, 120)), stand_in(SMOOTH, (152, 120)))


def test_landmarks_are_needed(deep):
    with pytest.raises(ValueError, match="alignment frontal3d needs five landmarks"):
        deep.crop(SMOOTH, Detection(True, (0, 0, 9, 9), 1.0), 152)


@pytest.mark.parametrize("size", [32, (40, 33), (152, 152)])
def test_any_size_is_possible(size):
    detection = face(np.add(framing.frontal(100), (20, 30)))
    crop = frontal3d.Frontal3DConfig().build().crop(SMOOTH, detection, size)
    assert crop.shape == (*((size, size) if isinstance(size, int) else size), 3)
    assert crop.dtype == np.uint8

import cv2
import numpy as np
import pytest

from datamodules.detection import Detection
from datamodules.geometry.fiducials import PLACES, LandmarkAlignment, places, similarity, warped

RNG = np.random.default_rng(0)


def test_the_fit_is_that_of_least_squares():
    for _ in range(20):
        source, target = RNG.normal(size=(2, 5, 2)) * 30 + 50
        design = np.zeros((10, 4))  # unknown: a, b, x, y of [[a, -b, x], [b, a, y]]
        design[0::2] = np.column_stack([source[:, 0], -source[:, 1], np.ones(5), np.zeros(5)])
        design[1::2] = np.column_stack([source[:, 1], source[:, 0], np.zeros(5), np.ones(5)])
        (a, b, x, y), *_ = np.linalg.lstsq(design, target.ravel(), rcond=None)
        assert np.allclose(similarity(source, target), [[a, -b, x], [b, a, y]])


def test_the_fit_is_umeyamas():
    for _ in range(20):
        source = RNG.normal(size=(5, 2)) * 20
        target = source @ RNG.normal(size=(2, 2)).T * 0.2 + source * 2 + 7  # det of the covariance > 0: no reflection
        x, y = source - source.mean(axis=0), target - target.mean(axis=0)
        u, d, vt = np.linalg.svd(y.T @ x / 5)
        s = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
        turn = u @ s @ vt
        scale = (d * np.diag(s)).sum() / (x**2).sum() * 5
        shift = target.mean(axis=0) - scale * turn @ source.mean(axis=0)
        assert np.allclose(similarity(source, target), np.column_stack([scale * turn, shift]))


def test_a_similarity_is_found_again():
    turn = 1.3 * np.array([[np.cos(2.1), -np.sin(2.1)], [np.sin(2.1), np.cos(2.1)]])
    found = similarity(PLACES, PLACES @ turn.T + (5, -40))
    assert np.allclose(found, np.column_stack([turn, (5, -40)]))


def test_places_scale_with_the_height_around_the_middle_column():
    assert np.array_equal(places(112), PLACES)
    assert np.allclose(places((112, 96)), PLACES - (8, 0))
    assert np.allclose(places(224), 2 * PLACES)
    assert np.allclose(places((56, 112)), PLACES / 2 + (28, 0))


@pytest.mark.parametrize("seed", range(3))
def test_pixels_come_from_where_a_loop_takes_them(seed):
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.integers(0, 256, (60, 70, 3), np.uint8), (0, 0), 2)
    matrix = similarity(rng.uniform(10, 50, (5, 2)), rng.uniform(0, 30, (5, 2)))
    matrix[:, :2] *= 0.8 / np.sqrt(np.linalg.det(matrix[:, :2]))
    matrix[:, 2] = (20, 15) - matrix[:, :2] @ (35, 30)
    found = warped(image, matrix, (30, 40))
    assert found.shape == (30, 40, 3)
    inverse = np.linalg.inv(np.vstack([matrix, (0, 0, 1)]))

    def pixel(a, b):
        inside = 0 <= a < 70 and 0 <= b < 60
        return image[b, a].astype(float) if inside else np.zeros(3)

    for row in range(30):
        for column in range(40):
            x, y, _ = inverse @ (column, row, 1)
            a, b = int(np.floor(x)), int(np.floor(y))
            u, v = x - a, y - b
            upper = (1 - u) * pixel(a, b) + u * pixel(a + 1, b)
            lower = (1 - u) * pixel(a, b + 1) + u * pixel(a + 1, b + 1)
            wanted = (1 - v) * upper + v * lower
            assert np.abs(found[row, column] - wanted).max() <= 6  # OpenCV rounds places to 1/32 pixel


def test_a_landmark_alignment_puts_the_landmarks_at_its_targets():
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    face = Detection(True, (0.0, 0.0, 112.0, 112.0), 1.0, tuple(map(tuple, PLACES.tolist())))
    assert np.array_equal(LandmarkAlignment("x", places).crop(image, face, 112), image)
    moved = LandmarkAlignment("x", lambda size: places(size) + np.array([10, 5])).crop(image, face, 112)
    assert np.array_equal(moved[5:, 10:], image[:-5, :-10])
    with pytest.raises(ValueError, match="alignment x needs five landmarks"):
        LandmarkAlignment("x", places).crop(image, Detection(True, (0.0, 0.0, 9.0, 9.0), 1.0), 112)

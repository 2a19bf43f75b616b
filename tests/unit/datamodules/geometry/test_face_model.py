import numpy as np

from datamodules.geometry import face_model
from datamodules.geometry.fiducials import PLACES
from datamodules.geometry.framing import frontal

GRID = np.meshgrid(np.linspace(-90, 90, 121), np.linspace(-90, 120, 141))


def test_its_landmarks_have_the_depths_that_are_promised():
    points = face_model.fiducials()
    assert np.isclose(np.hypot(*(points[1] - points[0])[:2]), 63)
    assert np.allclose(points[:2, 2], 0, atol=0.1)
    assert np.isclose(points[2, 2], 23, atol=0.6)
    assert np.allclose(points[3:, 2], -5, atol=0.6)


def test_the_frame_shows_it_as_the_template_does_but_smaller():
    flat, wanted = face_model.fiducials()[:, :2], frontal(112)
    assert np.allclose(flat / 63, (wanted - wanted[:2].mean(axis=0)) / np.hypot(*(wanted[1] - wanted[0])))
    assert np.allclose(flat / face_model.MILLIMETRES, PLACES - PLACES[:2].mean(axis=0))


def test_the_tip_of_the_nose_is_the_highest_point_and_the_rim_the_lowest():
    z = face_model.surface(*GRID)
    row, column = np.unravel_index(z.argmax(), z.shape)
    assert abs(GRID[0][row, column]) < 2
    assert 30 < GRID[1][row, column] < 40
    assert z[0, 0] == z[0, -1] == z.min()


def test_left_and_right_are_mirror_images():
    z = face_model.surface(*GRID)
    assert np.allclose(z, z[:, ::-1])


def test_the_triangles_meet_the_surface_at_their_corners_and_are_flat_between():
    rng = np.random.default_rng(0)
    step = face_model.STEP
    corners = rng.integers(-15, 15, (200, 2)) * step
    assert np.allclose(face_model.heights(*corners.T.astype(float))[0], face_model.surface(*corners.T.astype(float)))
    for x, y in corners:
        for other, inside in (((x + step, y), (0.7, 0.2)), ((x, y + step), (0.2, 0.7))):
            points = np.array([(x, y), other, (x + step, y + step)], float)
            plane = np.linalg.solve(np.column_stack([points, np.ones(3)]), face_model.surface(*points.T))
            place = np.array([x + inside[0] * step, y + inside[1] * step])
            z, across, down = face_model.heights(*place)
            assert np.isclose(z, plane @ (*place, 1))
            assert np.allclose((across, down), plane[:2])

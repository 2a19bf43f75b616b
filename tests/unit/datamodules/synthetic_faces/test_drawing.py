import dataclasses

import numpy as np
import pytest

from datamodules.synthetic_faces.brush import curve
from datamodules.synthetic_faces.drawing import draw
from datamodules.synthetic_faces.features import LABEL
from datamodules.synthetic_faces.population import SWAPS, look_alike, subject
from datamodules.synthetic_faces.relief import Relief
from datamodules.synthetic_faces.shot import View, shot


def test_a_look_alike_has_one_part_of_its_own():
    base = subject(0, 5)
    for part in SWAPS:
        alike = look_alike(0, 5, part)
        assert [name for name in ("head", *SWAPS) if getattr(alike, name) != getattr(base, name)] == [part]
        assert (alike.age, alike.sex) == (base.age, base.sex)


def test_subjects_come_from_their_own_numbers():
    assert subject(0, 5) == subject(0, 5)
    assert len({subject(seed, number) for seed in (0, 1) for number in range(50)}) == 100


def test_a_smooth_curve_passes_through_its_points():
    path = np.array([0, 1 + 2j, 3 + 1j, 4 - 1j])
    assert np.allclose(curve(path, steps=5)[::5], path)
    assert np.allclose(curve(path, closed=True, steps=5)[::5], path)


def test_pixels_and_planes_are_inverse():
    view = View(shot(0, 3, 1, 1.0), 0.7, 100)
    u, v = view.planes()
    pixels = view.pixels((u + 1j * v).astype(np.complex128))
    column, row = np.meshgrid(np.arange(100) + 0.5, np.arange(100) + 0.5)
    assert np.allclose(pixels, column + 1j * row, atol=1e-3)


def test_a_bump_has_the_slope_of_its_height():
    view = View(shot(0, 3, 1, 1.0), 0.7, 100)
    relief = Relief(view)
    relief.bump(0.1 + 0.05j, 0.4, 0.3, 0.2)

    def height(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return 0.2 * np.maximum(1 - ((u - 0.1) / 0.4) ** 2 - ((v - 0.05) / 0.3) ** 2, 0) ** 2

    u, v, step = relief.u.astype(float), relief.v.astype(float), 1e-4
    across = (height(u + step, v) - height(u - step, v)) / (2 * step)
    down = (height(u, v + step) - height(u, v - step)) / (2 * step)
    assert np.abs(relief.across - across).max() < 1e-3
    assert np.abs(relief.down - down).max() < 1e-3
    assert np.abs(across).max() > 0.5


def test_light_from_the_left_brightens_the_left_cheek():
    somebody = subject(0, 2)
    plain = shot(0, 2, 0, 0.0)
    cheek = {}
    for side in (-1, 1):
        lit = dataclasses.replace(plain, light=(side * 0.9, -0.2, np.sqrt(1 - 0.81 - 0.04)))
        drawn = draw(somebody, lit, 128)
        skin = drawn.mask == LABEL["skin"]
        middle = 128 * plain.x
        columns = np.arange(128)[None] + np.zeros((128, 1))
        cheek[side] = [drawn.image[skin & ((columns < middle) == left)].mean() for left in (True, False)]
    assert cheek[-1][0] > cheek[-1][1] + 20
    assert cheek[1][1] > cheek[1][0] + 20


@pytest.mark.parametrize("size", [64, 96, 224])
def test_a_face_scales_with_its_image(size):
    plain = shot(0, 1, 0, 0.0)
    small, large = draw(subject(0, 1), plain, size), draw(subject(0, 1), plain, 2 * size)
    assert small.image.shape == (size, size, 3)
    blocks = large.image.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    assert np.abs(blocks - small.image).mean() < 6


def test_drawing_survives_any_shot():
    for number in range(40):
        drawn = draw(subject(9, number), shot(9, number, 0, 2.0), 64)
        assert drawn.image.std() > 5

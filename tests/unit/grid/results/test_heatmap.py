import matplotlib
import numpy as np

from grid.results import heatmap
from grid.results.heatmap import Scale


def test_signed_maps_diverge_around_zero_and_others_begin_there():
    maps = np.array([[[-2.0, 1.0], [0.5, 1.5]]], np.float32)
    assert Scale.of(maps, True) == Scale(-2.0, 2.0, True)
    assert Scale.of(maps, False) == Scale(0.0, 1.5, False)
    assert Scale.of(np.abs(maps), True) == Scale(-2.0, 2.0, True)  # where nothing happens to be negative


def test_a_map_of_zeros_shows_the_face_and_no_nan():
    crop = np.full((8, 8, 3), 128, np.uint8)
    found = heatmap.overlaid(crop, np.zeros((2, 2), np.float32), 0.0, 0.0)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) == 1


def test_a_map_of_zeros_says_so_and_a_weak_map_does_not():
    crop = np.full((112, 112, 3), 128, np.uint8)
    maps = np.zeros((2, 4, 4), np.float32)
    maps[1, 2, 2] = 1e-6
    nothing, weak = (heatmap.tile(crop, raw, Scale(0.0, 1.0), 112) for raw in maps)
    assert weak.std() < 1 < nothing[-16:].std()
    assert np.array_equal(nothing[:-16], weak[:-16])


def test_the_color_is_brightest_where_the_map_is_highest():
    raw = np.zeros((4, 4), np.float32)
    raw[0, 3] = 1
    found = heatmap.overlaid(np.full((64, 64, 3), 90, np.uint8), raw, 0.0, 1.0).sum(axis=2)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert row < 16
    assert column >= 48


def test_signed_colors_are_red_above_zero_and_blue_below():
    below, middle, above = heatmap.colored(np.array([0.1, 0.5, 0.9]), True)
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert middle.min() > 240
    first = heatmap.colored(np.linspace(0, 1, 5), False)
    assert np.array_equal(first, np.float32(matplotlib.colormaps["inferno"](np.linspace(0, 1, 5))[:, :3] * 255))


def test_a_crop_that_is_not_square_keeps_its_shape_in_the_middle_of_gray():
    found = heatmap.tile(np.full((52, 26, 3), 10, np.uint8), None, Scale(), 100)
    assert found.shape == (100, 100, 3)
    assert (found[:, 25:75] == 10).all()
    assert (found[:, :25] == heatmap.PAPER).all()
    assert (found[:, 75:] == heatmap.PAPER).all()


def test_the_scale_stands_beneath_and_leaves_the_image_alone():
    canvas = np.full((224, 224, 3), 90, np.uint8)
    found = heatmap.footed(canvas, Scale(-0.02, 0.02, True))
    assert found.shape == (244, 224, 3)
    assert np.array_equal(found[:224], canvas)
    assert found[234, 60, 2] > found[234, 60, 0]
    assert found[234, 165, 0] > found[234, 165, 2]

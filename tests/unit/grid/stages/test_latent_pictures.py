"""Pictures: sizes, positions and frames."""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import label

from grid.stages.latent_pictures import GAP, LEFT, SIDE, Scatter, TileRow, animation_gif, scatter_png, tiles_png

RED, BLUE = np.zeros((2, 1, 10, 8, 3), np.uint8)
RED[..., 0], BLUE[..., 2] = 255, 255


def read(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def test_tiles_stand_in_their_rows_and_columns() -> None:
    found = read(tiles_png([TileRow("one", np.concatenate([RED, BLUE])), TileRow("two", BLUE, ["x"])], "both"))
    width = round(SIDE * 0.8)
    top = 27 + SIDE // 2
    assert found[top, LEFT + width // 2].tolist() == [255, 0, 0]
    assert found[top, LEFT + width + GAP + width // 2].tolist() == [0, 0, 255]
    assert found[top + SIDE + GAP, LEFT + width // 2].tolist() == [0, 0, 255]
    assert found[top + SIDE + GAP, LEFT + width + GAP + width // 2].tolist() == [255, 255, 255]


def test_an_animation_goes_forward_and_back_without_end() -> None:
    frames = np.repeat(np.array([0, 60, 120, 250], np.uint8), 10 * 8 * 3).reshape(4, 10, 8, 3)
    with Image.open(io.BytesIO(animation_gif(frames))) as found:
        assert found.info["loop"] == 0
        assert found.size == (96, 120)  # twelve times as large
        levels = []
        for number in range(found.n_frames):
            found.seek(number)
            levels.append(int(np.array(found.convert("L")).mean().round()))
    assert levels == [0, 60, 120, 250, 120, 60]


def test_points_have_the_color_of_their_class_and_unknown_ones_are_gray() -> None:
    points = np.array([[0.0, 0], [1, 1], [2, 0], [3, 1]])
    kinds = Scatter("kinds", points, ("a", "b"), np.array([0, 1, -1, 0]), ("x", "y"))
    numbers = Scatter("years", points, ("", ""), np.array([1.0, 2, np.nan, 4]), None)
    found = read(scatter_png([[kinds, numbers], [kinds]]))
    seen = {tuple(color) for color in found.reshape(-1, 3).tolist()}
    assert {(31, 119, 180), (255, 127, 14), (204, 204, 204)} <= seen  # tab10's first two, and gray
    assert (253, 231, 36) in seen or (253, 231, 37) in seen  # viridis' last


def test_a_legend_covers_no_point() -> None:
    places = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=2).reshape(-1, 2)
    values = np.full(len(places), -1)
    values[:10] = np.arange(10)
    found = read(scatter_png([[Scatter("identity", places, ("", ""), values, tuple(f"person-{n:05}" for n in range(10)))]]))
    spots, _ = label((found == 204).all(axis=2))
    assert (np.bincount(spots.ravel())[1:] > 1).sum() == len(places) - 10  # spots of one pixel are the edges of letters

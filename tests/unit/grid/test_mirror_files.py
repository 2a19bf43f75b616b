import numpy as np

from grid.mirror_files import overlay


def test_an_overlay_leaves_the_image_where_the_map_is_zero() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    assert (overlay(image, np.zeros((2, 2), np.float32)) == image).all()
    half = overlay(image, np.array([[1.0, 0.0], [1.0, 0.0]], np.float32))
    assert (half[:, -1] == 100).all()
    assert (half[:, 0] != 100).any()
    signed = overlay(image, np.array([[1.0, -1.0], [1.0, -1.0]], np.float32)).astype(int)
    assert signed[0, 0, 0] > signed[0, 0, 2], "red is for"
    assert signed[0, -1, 2] > signed[0, -1, 0], "blue is against"

import cv2
import numpy as np

from datamodules.augmentations.coarse_dropout import CoarseDropoutConfig

WHITE = np.full((100, 50, 3), 255, np.uint8)


def regions(changed):
    """Bounding boxes (width, height) and areas of what is not white."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((changed != 255).any(axis=2).astype(np.uint8))
    return [tuple(stats[index, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA]]) for index in range(1, count)]


def test_one_hole_is_a_rectangle_within_its_sizes():
    augment = CoarseDropoutConfig(holes=(1, 1), side=(0.1, 0.3), probability=1).build()
    found = [regions(augment(WHITE, seed)) for seed in range(100)]
    assert all(len(one) == 1 for one in found)
    widths, heights, areas = np.array([one[0] for one in found]).T
    assert np.array_equal(areas, widths * heights)
    assert (widths.min(), widths.max()) == (5, 14)  # below a share of 0.3, so that 15 pixels are not reached
    assert heights.min() in (10, 11)
    assert heights.max() in (28, 29)


def test_there_are_as_many_holes_as_asked_for():
    augment = CoarseDropoutConfig(holes=(2, 4), side=(0.02, 0.04), probability=1).build()
    counts = [len(regions(augment(WHITE, seed))) for seed in range(60)]
    assert set(counts) <= {1, 2, 3, 4}  # holes may touch
    assert {2, 3, 4} <= set(counts)


def test_holes_are_black_gray_or_noise():
    def values(fill):
        return np.unique(CoarseDropoutConfig(fill=fill, holes=(8, 8), probability=1).build()(WHITE, 1))

    assert values("black").tolist() == [0, 255]
    assert values("gray").tolist() == [128, 255]
    assert len(values("noise")) > 100

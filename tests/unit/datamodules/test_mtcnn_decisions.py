"""Decisions between the networks, against their plain definitions."""

import numpy as np
import pytest

from datamodules.mtcnn_decisions import contained, groups, scales, squares, suppressed

RNG = np.random.default_rng(0)


def boxes(count):
    corner = RNG.integers(0, 40, (count, 2))
    return np.concatenate([corner, corner + RNG.integers(5, 40, (count, 2))], axis=1).astype(np.float32)


def overlap(one, other, pixel, smaller):
    side = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + pixel, 0)
    both, a, b = side.prod(), (one[2:] - one[:2] + pixel).prod(), (other[2:] - other[:2] + pixel).prod()
    return both / (min(a, b) if smaller else a + b - both)


def of_one_image(found, scores, threshold):
    return suppressed(np.zeros(len(found), np.int64), found, scores, threshold)


@pytest.mark.parametrize(("count", "levels"), [(0, 1), (1, 1), (40, 40), (60, 5)])
@pytest.mark.parametrize(("rule", "pixel", "smaller"), [(of_one_image, 0, False), (contained, 1, True)])
def test_what_a_better_box_overlaps_is_left_out_and_ties_go_to_the_first(rule, pixel, smaller, count, levels):
    found = boxes(count)
    scores = (RNG.integers(0, levels, count) / 64).astype(np.float32)  # with equal scores
    kept = []
    for row in sorted(range(count), key=lambda row: (-scores[row], row)):
        if all(overlap(found[row], found[other], pixel, smaller) <= 0.5 for other in kept):
            kept.append(row)
    assert rule(found, scores, 0.5).tolist() == kept


def test_boxes_of_other_images_suppress_nothing():
    of, found, scores = np.repeat([2, 3, 9], [30, 1, 25]), boxes(56), (RNG.integers(0, 5, 56) / 64).astype(np.float32)
    expected = [
        row + start
        for start, stop in ((0, 30), (30, 31), (31, 56))
        for row in of_one_image(found[start:stop], scores[start:stop], 0.3)
    ]
    kept = suppressed(of, found, scores, 0.3)
    assert kept.tolist() == expected
    assert len(kept) < 50
    assert [(image, rows.start, rows.stop) for image, rows in groups(of)] == [(2, 0, 30), (3, 30, 31), (9, 31, 56)]
    assert list(groups(of[:0])) == []


def test_scales_end_where_the_first_network_sees_no_window():
    assert scales(19, 300, 20, 0.7) == []
    assert scales(20, 300, 20, 0.7) == [0.6]
    found = scales(250, 300, 20, 0.709)
    assert found[0] == 0.6
    assert 250 * found[-1] >= 12 > 250 * found[-1] * 0.709


def test_a_square_keeps_the_center_and_the_longer_side():
    found = squares(np.array([(10, 20, 30, 60), (0, 0, 8, 4)], np.float32))
    assert found.tolist() == [[0, 20, 40, 60], [0, -2, 8, 6]]

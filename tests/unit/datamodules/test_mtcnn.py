"""The cascade; what it finds in photographs is tested with the detector."""

import numpy as np
import pytest
import torch

from datamodules.mtcnn import NONE, _contained, _squares, faces, scales, suppressed
from datamodules.mtcnn_networks import OUTPUT, REFINED, Networks

RNG = np.random.default_rng(0)
SETTINGS = (20, (0.6, 0.7, 0.7), 0.709)


@pytest.fixture(scope="module")
def networks():
    return Networks(torch.device("cpu"))


def boxes(count):
    corner = RNG.integers(0, 40, (count, 2))
    return np.concatenate([corner, corner + RNG.integers(5, 40, (count, 2))], axis=1).astype(np.float32)


def overlap(one, other, pixel, smaller):
    side = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + pixel, 0)
    both, a, b = side.prod(), (one[2:] - one[:2] + pixel).prod(), (other[2:] - other[:2] + pixel).prod()
    return both / (min(a, b) if smaller else a + b - both)


@pytest.mark.parametrize(("count", "levels"), [(0, 1), (1, 1), (40, 40), (60, 5)])
@pytest.mark.parametrize(("rule", "pixel", "smaller"), [(suppressed, 0, False), (_contained, 1, True)])
def test_what_a_better_box_overlaps_is_left_out_and_ties_go_to_the_first(rule, pixel, smaller, count, levels):
    found = boxes(count)
    scores = (RNG.integers(0, levels, count) / 64).astype(np.float32)  # with equal scores
    kept = []
    for row in sorted(range(count), key=lambda row: (-scores[row], row)):
        if all(overlap(found[row], found[other], pixel, smaller) <= 0.5 for other in kept):
            kept.append(row)
    assert rule(found, scores, 0.5).tolist() == kept


def test_networks_compute_what_facenet_pytorchs_do(networks):
    from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

    with torch.inference_mode():
        for side in (12, 13, 40, 41):
            image = RNG.normal(size=(side, side + 5, 3)).astype(np.float32)
            scores, offsets = networks.propose(image)
            theirs = PNet().eval()(torch.from_numpy(image).permute(2, 0, 1)[None])
            assert np.allclose(scores, theirs[1][0, 1].numpy(), atol=1e-5)
            assert np.allclose(offsets, theirs[0][0].permute(1, 2, 0).numpy(), atol=1e-5)
        for count in (1, *REFINED, *OUTPUT, sum(OUTPUT) + 1, 2 * REFINED[1]):
            small, large = (RNG.normal(size=(count, side, side, 3)).astype(np.float32) for side in (24, 48))
            offsets, both = RNet().eval()(torch.from_numpy(small).permute(0, 3, 1, 2))
            for ours, theirs in zip(networks.refine(small), (both[:, 1], offsets), strict=True):
                assert np.allclose(ours, theirs.numpy(), atol=1e-5)
            offsets, points, both = ONet().eval()(torch.from_numpy(large).permute(0, 3, 1, 2))
            for ours, theirs in zip(networks.output(large), (both[:, 1], offsets, points), strict=True):
                assert np.allclose(ours, theirs.numpy(), atol=1e-5)


def test_scales_end_where_the_first_network_sees_no_window():
    assert scales(19, 300, 20, 0.7) == []
    assert scales(20, 300, 20, 0.7) == [0.6]
    found = scales(250, 300, 20, 0.709)
    assert found[0] == 0.6
    assert 250 * found[-1] >= 12 > 250 * found[-1] * 0.709


def test_a_square_keeps_the_center_and_the_longer_side():
    found = _squares(np.array([(10, 20, 30, 60), (0, 0, 8, 4)], np.float32))
    assert found.tolist() == [[0, 20, 40, 60], [0, -2, 8, 6]]


def test_an_image_of_one_color_has_no_faces(networks):
    assert faces(networks, np.full((60, 80, 3), 90, np.uint8), *SETTINGS) is NONE
    assert faces(networks, np.full((5, 80, 3), 90, np.uint8), *SETTINGS) is NONE

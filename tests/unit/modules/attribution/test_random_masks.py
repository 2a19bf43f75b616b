import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from modules.attribution.random_masks import mask_blocks


@pytest.mark.parametrize("keep", [0.3, 0.5])
def test_a_pixel_is_kept_as_often_as_the_cells(keep):
    masks = torch.cat(list(mask_blocks(3000, 5, keep, (23, 17), 0, 500)))
    assert masks.shape == (3000, 1, 23, 17)
    assert masks.min() >= 0
    assert masks.max() <= 1
    assert float(masks.mean()) == pytest.approx(keep, abs=0.005)
    assert float((masks.mean(0) - keep).abs().max()) < 0.05


def test_masks_are_shifted_by_less_than_a_cell():
    masks = torch.cat(list(mask_blocks(200, 4, 0.5, (24, 24), 0, 50)))
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == 200


@pytest.mark.parametrize("size", [(24, 18), (23, 17), (64, 64)])
def test_masks_are_cut_out_of_the_enlarged_grids_to_the_last_bit(size):
    count, cells, seed = 40, 5, 3
    generator = np.random.default_rng(seed)
    sides = [math.ceil(side / cells) for side in size]
    grids = torch.from_numpy((generator.random((count, 1, cells, cells)) < 0.4).astype(np.float32))
    tops, lefts = (generator.integers(0, side, count) for side in sides)
    enlarged = functional.interpolate(grids, size=[(cells + 1) * side for side in sides], mode="bilinear")
    places = zip(enlarged, tops, lefts, strict=True)
    expected = torch.stack([one[:, top : top + size[0], left : left + size[1]] for one, top, left in places]).clamp(0, 1)
    assert torch.equal(torch.cat(list(mask_blocks(count, cells, 0.4, size, seed, 7))), expected)

import pytest
import torch

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

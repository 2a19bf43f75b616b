import math

import numpy as np
import pytest
import torch
from small_classifier import Loss
from torch import nn
from torch.nn import functional

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.explainers.rise import RISEConfig, mask_blocks


class Patch(nn.Module):
    """Class 1 looks at brightness in a patch alone; class 0 at the opposite. A dropout layer makes evaluation mode count."""

    def __init__(self, rows=slice(8, 14), columns=slice(2, 8)):
        super().__init__()
        self.rows, self.columns = rows, columns
        self.loss = Loss()
        self.drop = nn.Dropout(0.9)

    def embed(self, images):
        seen = self.drop(images)[:, :, self.rows, self.columns].mean((1, 2, 3))
        return torch.stack([-seen, seen, seen * 0 + 1], 1)


def images(count=2, size=(24, 18), dtype=torch.float64):
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype) * 0.5 + 0.5


def literal_masks(count, cells, keep, size, seed):
    """Grid by grid and pixel by pixel, as section 3.2 of the paper says."""
    generator = np.random.default_rng(seed)
    grids = generator.random((count, 1, cells, cells)) < keep
    high, wide = math.ceil(size[0] / cells), math.ceil(size[1] / cells)
    tops, lefts = generator.integers(0, high, count), generator.integers(0, wide, count)
    out = np.zeros((count, *size))
    for n in range(count):
        for i in range(size[0]):
            for j in range(size[1]):
                places = []
                for at, cell in ((i + tops[n], high), (j + lefts[n], wide)):
                    side = (cells + 1) * cell
                    place = min(max((at + 0.5) * cells / side - 0.5, 0), cells - 1)
                    before = min(int(place), cells - 1)
                    places.append((before, min(before + 1, cells - 1), place - before))
                (top, low, dy), (left, right, dx) = places
                grid = grids[n, 0]
                out[n, i, j] = (grid[top, left] * (1 - dx) + grid[top, right] * dx) * (1 - dy)
                out[n, i, j] += (grid[low, left] * (1 - dx) + grid[low, right] * dx) * dy
    return out


def test_masks_are_shifted_enlarged_grids():
    found = torch.cat(list(mask_blocks(5, 4, 0.4, (24, 18), 3, 2)))
    assert found.shape == (5, 1, 24, 18)
    np.testing.assert_allclose(found[:, 0].numpy(), literal_masks(5, 4, 0.4, (24, 18), 3), atol=1e-6)


def test_masks_do_not_depend_on_how_many_are_made_at_a_time():
    whole = torch.cat(list(mask_blocks(7, 4, 0.5, (20, 20), 0, 7)))
    assert torch.equal(whole, torch.cat(list(mask_blocks(7, 4, 0.5, (20, 20), 0, 3))))
    assert not torch.equal(whole, torch.cat(list(mask_blocks(7, 4, 0.5, (20, 20), 1, 7))))


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("normalization", ["expected", "observed"])
def test_maps_are_equation_6(centered, normalization):
    config = RISEConfig(masks=30, cells=4, keep=0.4, seed=5, batch=8, centered=centered, normalization=normalization)
    network, given = Patch().eval(), images()
    found = config.build().maps(network, given, ClassLogit(torch.tensor([1, 0]))).numpy()
    masks = torch.cat(list(mask_blocks(30, 4, 0.4, (24, 18), 5, 30)))[:, 0].double().numpy()
    for row, label in enumerate((1, 0)):
        scores = [float(network.embed(torch.from_numpy(given[row].numpy() * mask)[None])[0, label]) for mask in masks]
        mean = sum(scores) / 30 if centered else 0.0
        expected, kept = np.zeros((24, 18)), np.zeros((24, 18))
        for score, mask in zip(scores, masks, strict=True):
            expected += (score - mean) * mask
            kept += mask
        expected = expected / (30 * 0.4) if normalization == "expected" else expected / np.where(kept > 0, kept, 1)
        np.testing.assert_allclose(found[row], expected, atol=1e-12)


@pytest.mark.parametrize("centered", [True, False])
def test_the_planted_patch_is_found(centered):
    found = (
        RISEConfig(masks=600, cells=6, centered=centered)
        .build()
        .explain(Patch(), images(dtype=torch.float32), ClassLogit(torch.tensor([1, 1])), (24, 18))
    )
    for one in found.maps:
        top, left = np.unravel_index(one.argmax(), one.shape)
        assert 8 <= top < 14
        assert 2 <= left < 8
    assert found.signed is centered
    assert (found.layer, found.layer_shape) == ("", (3, 24, 18))


def test_a_constant_image_has_a_finite_map():
    found = RISEConfig(masks=20).build().explain(Patch(), torch.zeros(1, 3, 24, 18), ClassLogit(torch.tensor([1])), (24, 18))
    assert not found.maps.any()


def test_the_probability_is_that_of_the_class_and_of_no_cosine():
    given, network = images(1), Patch().eval()
    found = (
        RISEConfig(masks=10, score="probability", centered=False).build().maps(network, given, ClassLogit(torch.tensor([1])))
    )
    masks = torch.cat(list(mask_blocks(10, 7, 0.5, (24, 18), 0, 10)))[:, 0].double()
    expected = sum(network.embed(given * mask).softmax(1)[0, 1] * mask for mask in masks) / 5
    assert torch.allclose(found[0], expected, atol=1e-12)
    with pytest.raises(Refused) as caught:
        RISEConfig(score="probability").build().explain(network, given, Cosine(torch.ones(1, 3)), (24, 18))
    assert caught.value.code == "no_probability"


def test_the_cosine_with_another_image_can_be_explained_and_its_zero_norm_is_refused():
    given = images(1, dtype=torch.float32)
    target = Cosine(torch.tensor([[0.0, 1.0, 0.0]]))
    found = RISEConfig(masks=300, cells=6).build().explain(Patch(), given, target, (24, 18))
    top, left = np.unravel_index(found.maps[0].argmax(), (24, 18))
    assert 8 <= top < 14
    assert 2 <= left < 8
    network = Patch()
    network.embed = lambda given: given.mean((2, 3)) * 0
    with pytest.raises(Refused) as caught:
        RISEConfig(masks=4).build().explain(network, given, target, (24, 18))
    assert caught.value.code == "not_finite"


def test_a_map_does_not_depend_on_the_other_images():
    explainer, given = RISEConfig(masks=10, batch=4).build(), images(3)
    target = ClassLogit(torch.tensor([1, 0, 1]))
    together = explainer.explain(Patch(), given, target, (24, 18)).maps
    for row in range(3):
        alone = explainer.explain(Patch(), given[row : row + 1], target.take([row]), (24, 18)).maps
        np.testing.assert_array_equal(alone[0], together[row])


def test_the_network_is_left_as_it_was():
    network = Patch().train()
    torch.manual_seed(7)
    RISEConfig(masks=10).build().explain(network, images(), ClassLogit(torch.tensor([1, 1])), (24, 18))
    assert network.training
    assert network.drop.training
    assert torch.initial_seed() == 7


def test_it_is_found_by_name():
    assert resolve("explainer", "rise") == RISEConfig()


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

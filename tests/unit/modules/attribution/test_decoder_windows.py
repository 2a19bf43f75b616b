import pytest
import torch
from torch import nn

from modules.attribution.decoder_windows import differences, placed
from modules.attribution.incremental_decoder import Incremental
from modules.decoders.transposed import Transposed


def decoder(layers=(6, 8, 6, 5)):
    torch.manual_seed(0)
    made = Transposed(list(layers)).double().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return made


@pytest.mark.parametrize("layers", [(6,), (6, 20), (6, 8, 6, 5), (6, 20, 17, 16)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 4)])
@torch.no_grad()
def test_changes_at_all_locations_at_once_are_those_of_full_decodes(layers, shape):
    made = decoder(layers)
    given = torch.randn(6, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    state = Incremental(made, given)
    cells = [(channel, row, column) for channel in (0, 5) for row in range(shape[0]) for column in range(shape[1])]
    channels, rows, columns = (torch.tensor(one) for one in zip(*cells, strict=True))
    values = torch.linspace(-2, 2, len(cells), dtype=torch.float64)
    found = differences(state, channels, rows, columns, values)
    scale = 2 ** len(layers)
    assert found.values.shape == (len(cells), 3 * scale - 2, 3 * scale - 2, 3)
    before = made(given[None])[0]
    for index, (channel, row, column) in enumerate(cells):
        changed = given.clone()
        changed[channel, row, column] = values[index]
        expected = made(changed[None])[0] - before
        image = torch.zeros(3, *(side * scale + 2 * scale - 2 for side in shape), dtype=torch.float64)
        inside = torch.zeros(image.shape[1:])
        part = slice(row * scale, (row + 3) * scale - 2), slice(column * scale, (column + 3) * scale - 2)
        image[:, *part] = found.values[index].permute(2, 0, 1)
        inside[part] = found.inside[index].float()
        inner = slice(scale - 1, scale - 1 + shape[0] * scale), slice(scale - 1, scale - 1 + shape[1] * scale)
        torch.testing.assert_close(image[:, *inner], expected, rtol=0, atol=1e-12)
        assert expected.abs().max() > 1e-5
        assert float(image.abs().sum()) == pytest.approx(float(expected.abs().sum()), rel=1e-9)  # nothing is outside
        assert inside.sum() == inside[inner].sum() == found.inside[index].sum()


@pytest.mark.parametrize("scale", [2, 4, 16])
def test_windows_are_added_where_they_belong(scale):
    height, width, side = 3, 2, 3 * scale - 2
    windows = torch.rand(height * width, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.zeros(height * scale + 2 * (scale - 1), width * scale + 2 * (scale - 1), dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            part = slice(row * scale, row * scale + side), slice(column * scale, column * scale + side)
            expected[part] += windows[row * width + column]
    expected = expected[scale - 1 : 1 - scale, scale - 1 : 1 - scale]
    torch.testing.assert_close(placed(windows, height, width), expected, rtol=0, atol=1e-12)

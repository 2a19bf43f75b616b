import pytest
import torch
from pair_networks import network
from torch import nn

from modules.attribution.incremental_decoder import Incremental, applies
from modules.decoders.transposed import Transposed


def decoder(seed=0, layers=(6, 8, 6, 5)):
    torch.manual_seed(seed)
    made = Transposed(list(layers)).double().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return made


def features(shape=(6, 5, 7), seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pasted(state, found, index):
    """The whole image after change ``index``."""
    image = state.image.clone()
    _, height, width, _ = found.values.shape
    assert torch.equal(image[found.top : found.top + height, found.left : found.left + width], found.before)
    image[found.top : found.top + height, found.left : found.left + width] = found.values[index]
    return image


@pytest.mark.parametrize("layers", [(6,), (6, 20), (6, 8, 6, 5), (6, 20, 17, 16)])
@torch.no_grad()
def test_every_cell_changed_alone_gives_the_full_decode(layers):
    made, given = decoder(layers=layers), features((6, 3, 4))
    state = Incremental(made, given)
    torch.testing.assert_close(state.image, made(given[None])[0].permute(1, 2, 0), rtol=0, atol=1e-13)
    channels, values = torch.tensor([0, 5, 5]), torch.tensor([-2.0, 0.0, 3.0], dtype=torch.float64)
    for row in range(3):
        for column in range(4):
            found = state.change(channels, row, column, values)
            for index, channel in enumerate(channels):
                changed = given.clone()
                changed[channel, row, column] = values[index]
                expected = made(changed[None])[0].permute(1, 2, 0)
                torch.testing.assert_close(pasted(state, found, index), expected, rtol=0, atol=1e-12)
                assert (expected - state.image).abs().max() > 1e-5


@torch.no_grad()
def test_changes_that_stay_give_the_full_decode():
    made, given = decoder(), features()
    state, changed = Incremental(made, given), given.clone()
    for channel, row, column in [(0, 0, 0), (1, 4, 6), (1, 2, 3), (5, 2, 3), (5, 3, 3), (0, 0, 0)]:
        changed[channel, row, column] += 1
        before = state.image.clone()
        found = state.change(torch.tensor([channel]), row, column, changed[channel, row, column][None], keep=True)
        torch.testing.assert_close(state.image, made(changed[None])[0].permute(1, 2, 0), rtol=0, atol=1e-12)
        _, height, width, _ = found.values.shape
        assert torch.equal(found.before, before[found.top : found.top + height, found.left : found.left + width])


@torch.no_grad()
def test_windows_grow_as_said():
    state = Incremental(decoder(layers=(6, 8, 6, 5)), features((6, 7, 7)))
    one, value = torch.tensor([3]), torch.zeros(1, dtype=torch.float64)
    assert state.image.shape == (112, 112, 3)
    assert state.change(one, 3, 3, value).values.shape == (1, 46, 46, 3)
    corner = state.change(one, 6, 0, value)
    assert corner.values.shape == (1, 31, 31, 3)  # the rest lies outside
    assert (corner.top, corner.left) == (81, 0)


@torch.no_grad()
def test_other_pointwise_layers_are_followed():
    made = decoder()
    for block, activation in zip(made.layers, [nn.PReLU(8), nn.SiLU(), nn.ELU(), nn.Sigmoid()], strict=True):
        block[-1] = activation.double()
    made.layers[0][0] = nn.ConvTranspose2d(6, 8, 4, 2, 1).double()
    given = features()
    state = Incremental(made, given)
    changed = given.clone()
    changed[2, 1, 6] = 0
    found = state.change(torch.tensor([2]), 1, 6, torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(pasted(state, found, 0), made(changed[None])[0].permute(1, 2, 0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("keep", [False, True])
@torch.no_grad()
def test_in_place_activations_do_no_harm(keep):
    made, same = decoder(), decoder()
    for block in list(made.layers)[:-1]:
        block[-1] = nn.ReLU(inplace=True)
    one, other = Incremental(made, features()), Incremental(same, features())
    for row in (2, 1, 2):
        found = [state.change(torch.tensor([1]), row, 3, torch.ones(1).double(), keep) for state in (one, other)]
        assert torch.equal(found[0].values, found[1].values)
    assert torch.equal(one.image, other.image)
    if keep:
        changed = features()
        changed[1, 1:3, 3] = 1
        torch.testing.assert_close(one.image, same(changed[None])[0].permute(1, 2, 0), rtol=0, atol=1e-12)


def test_stacks_that_mix_places_otherwise_are_not_taken():
    assert applies(decoder())
    assert applies(network("gmp", decodes=True).decoder)
    for change in (
        lambda made: made.layers[0].append(nn.AvgPool2d(1)),
        lambda made: made.layers[0].insert(1, nn.InstanceNorm2d(8)),
        lambda made: made.layers[0].__setitem__(1, nn.BatchNorm2d(8, track_running_stats=False)),
        lambda made: made.layers[0].__setitem__(0, nn.ConvTranspose2d(6, 8, 2, 2)),
        lambda made: made.layers[0].__setitem__(0, nn.ConvTranspose2d(6, 8, 4, 2, 1, groups=2)),
    ):
        made = decoder()
        change(made)
        assert not applies(made)
    assert not applies(nn.Sequential(decoder()))

"""The convolutions of VGG."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from modules.layers.vgg import VggFeatures


def test_a_border_is_what_the_first_convolution_sees_outside() -> None:
    torch.manual_seed(0)
    color = (0.1, -0.2, 0.3)
    plain, framed = VggFeatures((1, 1, 1, 1, 1)), VggFeatures((1, 1, 1, 1, 1), color)
    framed.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 32, 40) * 2 - 1
    wide = torch.tensor(color).view(1, 3, 1, 1).repeat(2, 1, 34, 42)
    wide[:, :, 1:-1, 1:-1] = images
    first = plain.features[0]
    wanted = functional.conv2d(wide, first.weight, first.bias)  # type: ignore[arg-type]
    assert torch.allclose(framed(images), plain.features[1:](wanted), atol=1e-6)
    assert framed(images).shape == plain(images).shape
    assert not torch.allclose(framed(images), plain(images), atol=1e-3)


def test_a_border_of_zeros_changes_nothing() -> None:
    torch.manual_seed(0)
    plain, framed = VggFeatures((1, 1, 1, 1, 1)), VggFeatures((1, 1, 1, 1, 1), (0, 0, 0))
    framed.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 32, 32)
    assert torch.allclose(framed(images), plain(images), atol=1e-6)


def test_every_block_needs_a_depth() -> None:
    with pytest.raises(ValueError, match="zip"):
        VggFeatures((1, 1))


SHALLOW = (1, 1, 1, 1, 1)


def test_normalization_and_dropout_come_after_every_convolution_whose_names_stay() -> None:
    plain, both = VggFeatures(SHALLOW), VggFeatures(SHALLOW, batch_norm=True, dropout=0.5)
    kinds = [type(module) for module in both.features.modules() if not list(module.children())]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.MaxPool2d] * 5
    names = both.state_dict().keys()
    assert plain.state_dict().keys() < names
    assert all(name.split(".")[2] == "0" for name in names - plain.state_dict().keys())
    assert list(both.stages()) == list(plain.stages())


def test_the_function_is_that_of_the_same_layers_in_a_row() -> None:
    torch.manual_seed(0)
    built = VggFeatures(SHALLOW, batch_norm=True, dropout=0.5)
    images = torch.rand(3, 3, 32, 32) * 2 - 1

    def in_a_row(found: torch.Tensor) -> torch.Tensor:
        convolutions = [one for one in built.modules() if isinstance(one, nn.Conv2d)]
        norms = [one for one in built.modules() if isinstance(one, nn.BatchNorm2d)]
        for convolution, norm in zip(convolutions, norms, strict=True):
            found = functional.conv2d(found, convolution.weight, convolution.bias, padding=1)
            mean, variance = norm.running_mean, norm.running_var
            batch = (None, None) if built.training else (mean, variance)
            found = functional.batch_norm(found, *batch, norm.weight, norm.bias, built.training)
            found = functional.max_pool2d(functional.dropout(functional.relu(found), 0.5, built.training), 2)
        return found

    for built.training in (False, True):
        built.train(built.training)
        torch.manual_seed(3)
        expected = in_a_row(images)
        torch.manual_seed(3)
        torch.testing.assert_close(built(images), expected)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_without_them_the_network_and_its_random_weights_are_the_plain_ones(dropout: float) -> None:
    torch.manual_seed(0)
    plain = VggFeatures(SHALLOW)
    torch.manual_seed(0)
    other = VggFeatures(SHALLOW, dropout=dropout)
    assert plain.state_dict().keys() == other.state_dict().keys()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in plain.state_dict().items())

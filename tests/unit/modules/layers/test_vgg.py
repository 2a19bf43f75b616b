"""The convolutions of VGG."""

import pytest
import torch
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

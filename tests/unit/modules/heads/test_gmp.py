"""Global max pooling as a head."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.heads.gmp import GMPConfig
from modules.model_complexity import count


def test_it_is_the_largest_cell_of_each_channel() -> None:
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    found = GMPConfig(dimension=3).build(3, 4, 5)(features)
    for row in range(2):
        for channel in range(3):
            assert found[row, channel].item() == max(features[row, channel].flatten().tolist())


def test_the_gradient_goes_to_the_largest_cell_alone() -> None:
    features = torch.zeros(1, 1, 2, 2, requires_grad=True)
    head = GMPConfig(dimension=1).build(1, 2, 2)
    head(features + torch.tensor([[[[0.0, 3.0], [1.0, 2.0]]]])).sum().backward()
    assert features.grad is not None
    assert features.grad.tolist() == [[[[0.0, 1.0], [0.0, 0.0]]]]


def test_it_learns_nothing() -> None:
    assert list(GMPConfig().build(512, 7, 7).state_dict()) == []


def test_another_dimension_than_the_channels_is_refused_at_the_plan() -> None:
    backbone: Any = resolve("backbone", "alexnet")
    with pytest.raises(ValueError, match=r"dimension is 512, this backbone has 256 channels; set head\.dimension to 256"):
        count(backbone, GMPConfig(), resolve("loss", "softmax"), 3, 160)  # type: ignore[arg-type]
    assert count(backbone, GMPConfig(dimension=256), resolve("loss", "softmax"), 3, 160).parameters > 0  # type: ignore[arg-type]


def test_with_iresnet_50_it_is_the_network_of_xu() -> None:
    backbone: Any = resolve("backbone", {"name": "iresnet", "depth": 50})
    found = count(backbone, GMPConfig(), resolve("loss", "softmax"), 3, 112)  # type: ignore[arg-type]
    assert found.parameters == 43_590_848 - 2 * 512 - (49 * 512 * 512 + 512) - 2 * 512  # without the FC-BN head

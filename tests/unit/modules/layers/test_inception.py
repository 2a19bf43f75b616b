"""Inception modules against their paths written out."""

import pytest
import torch
from torch.nn import functional

from modules.layers.facenet import L2Pool
from modules.layers.inception import Inception, Widths, inception_backbone


def test_a_module_joins_its_four_paths() -> None:
    torch.manual_seed(0)
    module = Inception(3, Widths(2, 4, 5, 3, 6, "l2", 7))
    features = torch.randn(2, 3, 5, 5)
    paths = module.paths

    def relu(block: torch.nn.Module, inputs: torch.Tensor, padding: int) -> torch.Tensor:
        return functional.relu(functional.conv2d(inputs, block[0].weight, block[0].bias, padding=padding))  # type: ignore[index]

    wanted = [
        relu(paths["one"], features, 0),
        relu(paths["three"][1], relu(paths["three"][0], features, 0), 1),  # type: ignore[index]
        relu(paths["five"][1], relu(paths["five"][0], features, 0), 2),  # type: ignore[index]
        relu(paths["pool"][1], L2Pool()(features), 0),  # type: ignore[index]
    ]
    assert torch.allclose(module(features), torch.cat(wanted, 1), atol=1e-6)
    assert module.channels == 2 + 5 + 6 + 7


@pytest.mark.parametrize("cells", [6, 7])
def test_a_module_of_stride_two_has_no_1x1_path_and_keeps_the_pooled_input(cells: int) -> None:
    module = Inception(3, Widths(0, 4, 5, 3, 6, "max", 0, stride=2))
    features = torch.randn(1, 3, cells, cells)
    found = module(features)
    half = (cells + 1) // 2
    assert found.shape == (1, module.channels, half, half) == (1, 5 + 6 + 3, half, half)
    assert torch.equal(found[:, -3:], functional.max_pool2d(features, 3, 2, 1))


def test_every_width_of_a_table_is_in_the_network() -> None:
    widths = Widths(2, 4, 5, 3, 6, "max", 7)
    network = inception_backbone((8, 9, 10), {"a": widths, "b": widths}, first_kernel=5, batch_norm=False)
    found = [layer.weight.shape for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)]
    wanted = [(8, 3, 5, 5), (9, 8, 1, 1), (10, 9, 3, 3)]
    for channels in (10, 20):
        wanted += [
            (2, channels, 1, 1),
            (4, channels, 1, 1),
            (5, 4, 3, 3),
            (3, channels, 1, 1),
            (6, 3, 5, 5),
            (7, channels, 1, 1),
        ]
    assert [tuple(shape) for shape in found] == wanted
    assert network(torch.zeros(1, 3, 33, 33)).shape == (1, network.channels, 5, 5) == (1, 20, 5, 5)


def test_batch_normalization_follows_every_convolution_on_request() -> None:
    network = inception_backbone((4, 4, 4), {"a": Widths(2, 2, 2, 2, 2, "max", 2)}, first_kernel=3, batch_norm=True)
    names = [type(layer).__name__ for layer in network.modules()]
    assert names.count("Conv2d") == names.count("BatchNorm2d") == 9

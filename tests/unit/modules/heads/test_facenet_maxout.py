"""NN1's fully connected layers."""

import pytest
import torch

from modules.heads.facenet_maxout import FaceNetMaxoutConfig, Maxout


def test_it_is_two_maxouts_a_linear_layer_and_unit_length() -> None:
    torch.manual_seed(0)
    head = FaceNetMaxoutConfig(dimension=3, units=6, pieces=2).build(2, 2, 2)
    features = torch.randn(4, 2, 2, 2)
    vectors = features.reshape(4, 8)
    for layer in (head.fc1, head.fc2):
        both = vectors @ layer.linear.weight.T + layer.linear.bias
        vectors = torch.maximum(both[:, 0::2], both[:, 1::2])
    vectors = vectors @ head.fc7128.weight.T + head.fc7128.bias
    assert torch.allclose(head(features), vectors / vectors.norm(dim=1, keepdim=True), atol=1e-6)


def test_parameters_are_those_of_the_table() -> None:
    with torch.device("meta"):
        head = FaceNetMaxoutConfig().build(256, 7, 7)
    found = [sum(value.numel() for value in layer.parameters()) for layer in (head.fc1, head.fc2, head.fc7128)]
    assert found == [102_768_640, 33_562_624, 524_416]


def test_fields_are_the_widths() -> None:
    head = FaceNetMaxoutConfig(dimension=64, units=10, pieces=3).build(4, 1, 2)
    assert head.fc1.linear.weight.shape == (30, 8)
    assert head.fc2.linear.weight.shape == (30, 10)
    assert head.fc7128.weight.shape == (64, 10)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_unit_is_the_largest_of_its_linear_functions(pieces: int) -> None:
    torch.manual_seed(0)
    layer = Maxout(4, 5, pieces)
    vectors = torch.randn(3, 4)
    found = layer(vectors)
    assert found.shape == (3, 5)
    for row in range(3):
        for unit in range(5):
            rows = range(unit * pieces, (unit + 1) * pieces)
            wanted = max((layer.linear.weight[k] @ vectors[row] + layer.linear.bias[k]).item() for k in rows)
            assert found[row, unit].item() == pytest.approx(wanted, abs=1e-6)

"""NN1's fully connected layers."""

import torch

from modules.heads.facenet_maxout import FaceNetMaxoutConfig


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

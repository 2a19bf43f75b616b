"""The dense stack of Debreczeni et al., Table II."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from modules.heads.dense import DenseConfig

TABLE_II = [
    (640, "LeakyReLU", 0.2),
    (896, "ReLU", 0.3),
    (2176, "Tanh", 0.4),
    (640, "LeakyReLU", 0.6),
    (1664, "LeakyReLU", 0.2),
]


def test_the_default_is_table_ii() -> None:
    parts = list(DenseConfig().build(512, 7, 7).stack)
    found = [(a.out_features, type(b).__name__, c.p) for a, b, c in zip(parts[::3], parts[1::3], parts[2::3], strict=True)]
    assert found == TABLE_II
    widths = [512, *(row[0] for row in TABLE_II)]
    assert [part.in_features for part in parts[::3]] == widths[:-1]
    assert DenseConfig().dimension == 1664


def test_it_equals_the_layers_written_out() -> None:
    torch.manual_seed(0)
    hidden: Any = [{"width": 5, "activation": "tanh"}, {"width": 6}]
    head = DenseConfig(dimension=3, activation="leaky_relu", hidden=hidden, slope=0.1, pool="flatten").build(2, 2, 2).eval()
    linear = [part for part in head.stack if isinstance(part, nn.Linear)]
    for layer in linear:
        nn.init.normal_(layer.bias)
    features = torch.randn(4, 2, 2, 2)
    vectors = torch.tanh(features.flatten(1) @ linear[0].weight.T + linear[0].bias)
    vectors = (vectors @ linear[1].weight.T + linear[1].bias).clamp(min=0)
    vectors = vectors @ linear[2].weight.T + linear[2].bias
    assert torch.allclose(head(features), torch.where(vectors > 0, vectors, 0.1 * vectors), atol=1e-6)


def test_one_layer_is_table_i() -> None:
    head = DenseConfig(dimension=100, activation="relu", dropout=0, hidden=()).build(512, 7, 7)
    assert [type(part).__name__ for part in head.stack] == ["Linear", "ReLU", "Dropout"]
    assert head(torch.randn(2, 512, 7, 7)).shape == (2, 100)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("relu", nn.functional.relu),
        ("leaky_relu", lambda v: nn.functional.leaky_relu(v, 0.3)),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("elu", nn.functional.elu),
        ("gelu", nn.functional.gelu),
        ("silu", nn.functional.silu),
        ("linear", lambda v: v),
    ],
)
def test_an_activation_is_the_one_named(activation: Any, function: Any) -> None:
    head = DenseConfig(dimension=4, activation=activation, hidden=()).build(3, 1, 1).eval()
    features = torch.randn(5, 3, 1, 1)
    assert torch.allclose(head(features), function(head.stack[0](features.flatten(1))))


def test_an_unknown_activation_is_met_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="'leaky_relu', 'relu', 'tanh'"):
        DenseConfig(activation="swish")  # type: ignore[arg-type]


def test_weights_are_drawn_as_keras_draws_them() -> None:
    torch.manual_seed(0)
    for layer in DenseConfig().build(512, 7, 7).stack:
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert 0.99 * bound < layer.weight.abs().max().item() <= bound
            assert not layer.bias.any()


def test_batch_normalization_stands_before_each_activation() -> None:
    head = DenseConfig(dimension=4, hidden=({"width": 3},), batch_norm=True).build(2, 1, 1)  # type: ignore[arg-type]
    wanted = ["Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear", "BatchNorm1d", "LeakyReLU", "Dropout"]
    assert [type(part).__name__ for part in head.stack] == wanted


def test_every_field_of_a_hidden_layer_counts() -> None:
    one = DenseConfig(hidden=({"width": 3, "dropout": 0.1},)).identity()  # type: ignore[arg-type]
    assert one["hidden"] == [{"width": 3, "activation": "relu", "dropout": 0.1}]


def test_one_dropout_rate_may_stand_after_every_layer() -> None:
    head = DenseConfig(every_dropout=0.25).build(512, 2, 2)
    assert [part.p for part in head.stack if isinstance(part, nn.Dropout)] == [0.25] * 5
    assert "every_dropout" not in DenseConfig().identity()
    assert DenseConfig(every_dropout=0.0).identity()["every_dropout"] == 0.0

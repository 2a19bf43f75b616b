"""A stack of fully connected layers (Debreczeni et al., Table II, which is the default; one layer of 100 is their Table I).

The paper used Keras: weights are initialized as in Keras (Glorot and Bengio, AISTATS 2010; biases zero), and the leaky ReLU has
Keras's slope of 0.3. The paper does not specify the pooling before the stack of Table II; for Table I the map is averaged.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from configs import component
from configs.component import Born
from configs.network_interfaces import HeadConfig
from modules.layers.pooling import Pool, pooled, pooled_width

Activation = Literal["leaky_relu", "relu", "tanh", "sigmoid", "elu", "gelu", "silu", "linear"]
_PLAIN: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "linear": nn.Identity,
}


class Dense(component.Config):
    """One layer of the stack: a linear layer, its activation, and its dropout rate."""

    width: int = Field(ge=1)
    activation: Activation = "relu"
    dropout: float = Field(default=0.0, ge=0, lt=1)


_TABLE_II = (
    Dense(width=640, activation="leaky_relu", dropout=0.2),
    Dense(width=896, activation="relu", dropout=0.3),
    Dense(width=2176, activation="tanh", dropout=0.4),
    Dense(width=640, activation="leaky_relu", dropout=0.6),
)


class DenseConfig(HeadConfig):
    """The default is Table II, whose fifth layer is the embedding.

    Fields:
        dimension: width of the last layer, which is the embedding
        activation, dropout: of the last layer
        hidden: the layers before it, each ``{width, activation, dropout}``; may be empty
        pool: how the feature map becomes a vector: global average or maximum, or ``flatten``, which keeps every location
        slope: of ``leaky_relu`` below zero
        batch_norm: after every linear layer, before its activation (one trial of Table VI)
        every_dropout: one dropout rate after every layer, instead of those of the layers (another trial)
    """

    name: Literal["dense"] = "dense"
    dimension: int = Field(default=1664, ge=1)
    activation: Activation = "leaky_relu"
    dropout: float = Field(default=0.2, ge=0, lt=1)
    hidden: tuple[Dense, ...] = _TABLE_II
    pool: Pool = "average"
    slope: float = Field(default=0.3, ge=0)
    batch_norm: bool = False
    every_dropout: Annotated[float | None, Born(None), Field(ge=0, lt=1)] = None

    def build(self, channels: int, height: int, width: int) -> DenseStack:
        last = Dense(width=self.dimension, activation=self.activation, dropout=self.dropout)
        layers = (*self.hidden, last)
        if self.every_dropout is not None:
            layers = tuple(layer.model_copy(update={"dropout": self.every_dropout}) for layer in layers)
        first = pooled_width(channels, height, width, self.pool)
        return DenseStack(first, layers, self.pool, self.slope, self.batch_norm)


class DenseStack(nn.Module):
    """Pooling, then the layers in sequence; ``stack`` holds linear, normalization, activation and dropout of each."""

    def __init__(self, width: int, layers: tuple[Dense, ...], pool: Pool, slope: float, batch_norm: bool) -> None:
        super().__init__()
        self.pool = pool
        parts: list[nn.Module] = []
        for layer in layers:
            linear = nn.Linear(width, layer.width)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            parts.append(linear)
            if batch_norm:
                parts.append(nn.BatchNorm1d(layer.width))
            parts.append(nn.LeakyReLU(slope) if layer.activation == "leaky_relu" else _PLAIN[layer.activation]())
            parts.append(nn.Dropout(layer.dropout))
            width = layer.width
        self.stack = nn.Sequential(*parts)

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, dimension), not normalized."""
        return self.stack(pooled(features, self.pool))

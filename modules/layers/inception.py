"""Inception modules with max or L2 pooling, and FaceNet's networks built from them (Schroff et al., CVPR 2015, Table 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.layers.facenet import FaceNetBackbone, L2Pool, ResponseNorm, convolution, max_pool


@dataclass(frozen=True)
class Widths:
    """One row of the table: output channels of each convolution of a module; 0 omits a path or projection."""

    one: int  # 1x1
    reduce3: int  # 1x1 before the 3x3
    three: int
    reduce5: int  # 1x1 before the 5x5
    five: int
    pool: Literal["max", "l2"]
    project: int  # 1x1 after the pooling; 0: no projection
    stride: int = 1  # of 3x3, 5x5 and pooling; a module with stride 2 has no 1x1 path


class Inception(nn.Module):
    """Up to four parallel paths with concatenated channels: 1x1; 1x1, 3x3; 1x1, 5x5; 3x3 pooling, 1x1."""

    def __init__(self, channels: int, widths: Widths, batch_norm: bool = False) -> None:
        super().__init__()
        assert not widths.one or widths.stride == 1, "the 1x1 path has no stride"
        self.channels = widths.one + widths.three + widths.five + (widths.project or channels)
        paths: dict[str, nn.Module] = {}
        if widths.one:
            paths["one"] = convolution(channels, widths.one, 1, batch_norm=batch_norm)
        for name, kernel, reduce, out in (("three", 3, widths.reduce3, widths.three), ("five", 5, widths.reduce5, widths.five)):
            if out:
                paths[name] = nn.Sequential(
                    convolution(channels, reduce, 1, batch_norm=batch_norm),
                    convolution(reduce, out, kernel, stride=widths.stride, batch_norm=batch_norm),
                )
        pool = max_pool(widths.stride) if widths.pool == "max" else L2Pool(widths.stride)
        project = convolution(channels, widths.project, 1, batch_norm=batch_norm) if widths.project else nn.Identity()
        paths["pool"] = nn.Sequential(pool, project)
        self.paths = nn.ModuleDict(paths)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, channels, ceil(h / stride), ceil(w / stride))."""
        return torch.cat([path(features) for path in self.paths.values()], 1)


def inception_backbone(
    stem: tuple[int, int, int], table: Mapping[str, Widths], *, first_kernel: int, batch_norm: bool
) -> FaceNetBackbone:
    """Convolution, pooling and normalization twice, then the modules of ``table``.

    Args:
        stem: channels of the first convolution (stride 2), of the 1x1 after the first pooling, and of the 3x3 after it
        table: name -> widths, in order
        first_kernel: of the first convolution
        batch_norm: add a batch normalization after every convolution, which the paper does not have
    """
    first, reduce, channels = stem
    layers: dict[str, nn.Module] = {
        "conv1": convolution(3, first, first_kernel, stride=2, batch_norm=batch_norm),
        "pool1": max_pool(),
        "norm1": ResponseNorm(),
        "conv2a": convolution(first, reduce, 1, batch_norm=batch_norm),
        "conv2": convolution(reduce, channels, 3, batch_norm=batch_norm),
        "norm2": ResponseNorm(),
        "pool2": max_pool(),
    }
    for name, widths in table.items():
        module = Inception(channels, widths, batch_norm)
        layers[f"inception{name}"] = module
        channels = module.channels
    return FaceNetBackbone(layers, channels)


class InceptionConfig(BackboneConfig):
    """Base class of configs of such networks.

    Fields:
        batch_norm: after every convolution, instead of its bias; the paper has none
    """

    stem: ClassVar[tuple[int, int, int]]
    table: ClassVar[Mapping[str, Widths]]
    first_kernel: ClassVar[int] = 7
    batch_norm: bool = False

    def build(self) -> FaceNetBackbone:
        return inception_backbone(self.stem, self.table, first_kernel=self.first_kernel, batch_norm=self.batch_norm)

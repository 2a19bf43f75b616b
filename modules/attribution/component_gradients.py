"""Gradients of an embedding's components with respect to the pixels, for pair explainers that weigh the components."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from modules.attribution.batch_size import batch_size

BATCH = 32  # on a CPU. A batch holds copies of one image only, so that no map depends on other images

Norm = Literal["l2", "min_max", "none"]


def component_maps(network: Any, image: Tensor, weights: Tensor, norm: Norm) -> tuple[Tensor, int]:
    """Weighted sum of the gradient maps of all components, and how many of these maps are zero everywhere.

    The map of component k is the mean over the colors of abs(d f_k / d image), normalized. The network is in evaluation mode,
    so that images in a batch do not influence each other.

    Args:
        image: (3, H, W)
        weights: (D,) float64
        norm: of each map, over its pixels: divided by its L2 norm, scaled to [0, 1], or left as it is

    Returns:
        (H, W) float64.
    """
    count = len(weights)
    total = torch.zeros(image.shape[1:], dtype=torch.float64, device=image.device)
    empty = 0
    batch = batch_size(BATCH, image, count)
    for start in range(0, count, batch):
        places = torch.arange(start, start + batch, device=image.device).clamp(max=count - 1)  # the last batch is padded
        with torch.enable_grad():
            leaf = image.detach().expand(batch, -1, -1, -1).clone().requires_grad_()
            components = network.embed(leaf.clone())  # a leaf must not be modified in place
            (found,) = torch.autograd.grad(components.gather(1, places[:, None]).sum(), leaf)
        maps = found.abs().mean(1).double()[: count - start]
        empty += int((maps.amax((1, 2)) == 0).sum())
        for weight, one in zip(weights[start : start + batch], normalized(maps, norm), strict=True):
            total += weight * one  # one by one, so that the sum does not depend on the batch
    return total, empty


def normalized(maps: Tensor, norm: Norm) -> Tensor:
    """Each of the maps (N, H, W), normalized; zero where it is constant, for ``min_max``, or zero everywhere."""
    if norm == "none":
        return maps
    low = maps.amin((1, 2), keepdim=True) if norm == "min_max" else torch.zeros_like(maps[:, :1, :1])
    span = maps.amax((1, 2), keepdim=True) - low if norm == "min_max" else maps.square().sum((1, 2), keepdim=True).sqrt()
    return torch.where(span > 0, (maps - low) / torch.where(span > 0, span, torch.ones_like(span)), torch.zeros_like(maps))

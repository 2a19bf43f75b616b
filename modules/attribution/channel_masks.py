"""Score-CAM's masks made of a layer's channels, and channel weights made of their scores, for each published variant.

A constant channel does not locate anything, and its range is 0, so it cannot be normalized. Its mask is 0 everywhere;
``raw_logits``, ``wang_code`` and ``pairs`` give it the weight 0.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from modules.attribution.perturbation import AlteredScores
from modules.attribution.targets import Target

Mode = Literal["wang2020", "wang_code", "pytorch_grad_cam", "torch_cam", "raw_logits", "pairs"]
SOFTMAX: tuple[Mode, ...] = ("wang2020", "pytorch_grad_cam", "torch_cam")  # over the channels
AFTER: tuple[Mode, ...] = ("wang2020", "wang_code", "pytorch_grad_cam")  # scaled to [0, 1] after upsampling, the others before
PADDED: tuple[Mode, ...] = ("pytorch_grad_cam", "torch_cam")  # these add EPSILON to a channel's range
EPSILON = 1e-8


def masks_of(channels: Tensor, size: tuple[int, int], mode: Mode) -> Tensor:
    """Masks (B, 1, H, W) in [0, 1] of channels (B, h, w), as defined by ``mode``; no channel may be constant."""
    masks = channels[:, None]
    if mode not in AFTER:
        masks = unit_range(masks, mode)
    masks = functional.interpolate(masks, size=size, mode="bilinear", align_corners=mode == "pytorch_grad_cam")
    return unit_range(masks, mode) if mode in AFTER else masks


def unit_range(maps: Tensor, mode: Mode) -> Tensor:
    """Scales each map of (B, 1, h, w) to [0, 1]."""
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - low) / (high - low + (EPSILON if mode in PADDED else 0.0))


def live_channels(activation: Tensor) -> Tensor:
    """Indices, int64, of the channels of (C, h, w) that are not constant."""
    return (activation.amax((1, 2)) > activation.amin((1, 2))).nonzero()[:, 0]


def channel_weights(network: Any, activation: Tensor, image: Tensor, targets: Target, mode: Mode, batch: int) -> Tensor:
    """Weights (K, C), float64, of the channels (C, h, w) of one image (1, 3, H, W), for the K rows of ``targets``.

    At most ``batch`` masked images are in memory at a time; all K targets share them.
    """
    live = live_channels(activation)
    weights = torch.zeros(len(targets), len(activation), dtype=torch.float64, device=image.device)
    scores_of = AlteredScores(network, targets, batch, image.device, probability=mode == "wang_code")
    if len(live):
        size = (image.shape[2], image.shape[3])
        scores = [scores_of(image * masks_of(activation[some], size, mode)) for some in live.split(batch)]
        weights[:, live] = torch.cat(scores).T.double()
    if mode in SOFTMAX:
        if len(live) < len(activation):  # constant channels share the same (all-zero) mask, so one forward pass scores them all
            dead = torch.ones(len(activation), dtype=torch.bool, device=image.device)
            dead[live] = False
            weights[:, dead] = scores_of(torch.zeros_like(image)).T.double()
        scores_of.check()
        # wang2020 subtracts the score of a baseline image before the softmax, torch_cam that of the whole image. Either is
        # constant over the channels, so the softmax is unchanged and we skip it.
        return weights.softmax(1)
    scores_of.check()
    if mode == "pairs" and len(live):
        weights[:, live] -= weights[:, live].mean(1, keepdim=True)
    return weights

"""Grad-CAM from cached features: each further target costs one backward pass through the head.

Grad-CAM at the backbone's last stage needs only the feature map and the derivative of the score with respect to it. So each
image passes the backbone once, for any number of targets: all 100 x 100 pairs of two sets of 100 images need 200 forward
passes instead of 20,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modules.attribution.checks import check_gradient, finite_scores
from modules.attribution.hooks import evaluating
from modules.attribution.targets import Cosine, Target


@dataclass(frozen=True)
class AllPairs:
    """Cosines and Grad-CAM maps of all pairs of two sets of n and m images.

    Attributes:
        cosines: float32 (n, m)
        left: float32 (n, m, h, w): [i, j] is the map of left image i, for its cosine with right image j
        right: float32 (n, m, h, w): [i, j] is the map of right image j, for its cosine with left image i
    """

    cosines: np.ndarray
    left: np.ndarray
    right: np.ndarray


def features(network: Any, images: Tensor) -> Tensor:
    """Feature maps (N, channels, h, w) of images (N, 3, H, W), computed one by one, without gradients."""
    with torch.inference_mode(False), torch.no_grad(), evaluating(network):
        return torch.cat([network.features(image[None].clone()) for image in images])


def gradcams(network: Any, feature: Tensor, target: Target, batch: int = 1) -> np.ndarray:
    """Grad-CAM maps float32 (T, h, w) of one image's feature map (channels, h, w), for each of the target's T rows.

    One forward pass of the head, and one backward pass per ``batch`` targets. With ``batch`` 1 a map equals that of the
    explainer ``gradcam`` at the last stage. With more, the last batch is padded to the common shape, and the last bits may
    differ from those of ``batch`` 1.

    Raises:
        Refused: code ``not_finite``: a score (e.g. the cosine of an embedding of norm zero) or its derivative is NaN.
    """
    assert feature.ndim == 3, feature.shape
    with torch.inference_mode(False), evaluating(_above(network)):
        return _gradcams(network, feature, target, batch)[1]


def all_pairs(network: Any, left: Tensor, right: Tensor, detach_norm: bool = True, batch: int = 100) -> AllPairs:
    """Maps of all pairs of two sets of feature maps (n, channels, h, w) and (m, channels, h, w), as returned by ``features``.

    The gradient of the cosine is computed for each pair, so heads need not be linear. Needs n + m forward passes of the head,
    and n m / ``batch`` backward passes of it for each side. ``detach_norm``: as in ``Cosine``. Raises as ``gradcams``.
    """
    with torch.inference_mode(False), evaluating(_above(network)):
        with torch.no_grad():
            codes = [torch.cat([network.head(one[None]) for one in maps]) for maps in (left, right)]
        sides = []
        for maps, others in ((left, codes[1]), (right, codes[0])):
            target = Cosine(others, detach_norm)
            sides.append([_gradcams(network, one, target, batch) for one in maps])
    cosines = np.stack([scores for scores, _ in sides[0]])
    mirrored = np.stack([maps for _, maps in sides[1]]).swapaxes(0, 1)
    return AllPairs(cosines, np.stack([maps for _, maps in sides[0]]), np.ascontiguousarray(mirrored))


def _above(network: Any) -> nn.Module:
    """The modules above the features. Checking the mode of every module of a backbone takes longer than computing a map."""
    return nn.ModuleList([network.head, network.loss])


def _gradcams(network: Any, feature: Tensor, target: Target, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (T,) and maps (T, h, w), float32."""
    count = len(target)
    scores, maps = [], []
    with torch.enable_grad():
        leaf = feature.detach().clone()[None].requires_grad_()
        embedding = network.head(leaf.clone())
        for start in range(0, count, batch):
            rows = [min(row, count - 1) for row in range(start, start + batch)]
            ends = embedding.detach().expand(batch, -1).clone().requires_grad_()
            found = finite_scores(network, ends, target.take(rows))
            (slopes,) = torch.autograd.grad(found.sum(), ends)  # row t depends only on its own copy of the embedding
            weights = _pulled(embedding, leaf, slopes, target).mean(dim=(2, 3))
            scores.append(found.detach())
            maps.append(torch.stack([torch.relu((one[:, None, None] * feature).sum(0)) for one in weights]))
    return _plain(torch.cat(scores)[:count]), _plain(torch.cat(maps)[:count])


def _pulled(embedding: Tensor, leaf: Tensor, slopes: Tensor, target: Target) -> Tensor:
    """Backpropagates derivatives (T, D) of an embedding (1, D) to its features, (T, channels, h, w)."""
    if len(slopes) == 1:
        (found,) = torch.autograd.grad(embedding, leaf, slopes, retain_graph=True)
    else:
        (found,) = torch.autograd.grad(embedding, leaf, slopes[:, None], retain_graph=True, is_grads_batched=True)
        found = found[:, 0]
    check_gradient(found, target)
    return found


def _plain(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy().astype(np.float32)

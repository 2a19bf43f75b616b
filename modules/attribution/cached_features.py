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

from configs.float32_precision import without_tf32
from modules.attribution.batch_size import batch_size
from modules.attribution.checks import as_array, check_finite, check_scores, scores_of
from modules.attribution.hooks import evaluating
from modules.attribution.layer_maps import weighted
from modules.attribution.targets import Cosine, Target

_NUMBERS = 1 << 27  # in the gradients of one backward pass, which needs a few times their 0.5 GB


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


@without_tf32()
def features(network: Any, images: Tensor) -> Tensor:
    """Feature maps (N, channels, h, w) of images (N, 3, H, W), without gradients; on a CPU computed one by one."""
    batch = batch_size(1, images, len(images))
    with torch.inference_mode(False), torch.no_grad(), evaluating(network):
        return torch.cat([network.features(some.clone()) for some in images.split(batch)])


@without_tf32()
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
        return as_array(_gradcams(network, feature[None], target, batch)[1][0])


@without_tf32()
def all_pairs(
    network: Any, left: Tensor, right: Tensor, detach_norm: bool = True, batch: int = 100, images: int | None = None
) -> AllPairs:
    """Maps of all pairs of two sets of feature maps (n, channels, h, w) and (m, channels, h, w), as returned by ``features``.

    The gradient of the cosine is computed for each pair, so heads need not be linear.

    Args:
        detach_norm: as in ``Cosine``
        batch: targets per backward pass of the head
        images: images per backward pass, each with its ``batch`` targets; None: 1 on a CPU, and on a GPU as many as keep the
            gradients below ``_NUMBERS``. Results are equal up to rounding

    Raises:
        Refused: as ``gradcams``.
    """
    if images is None:
        images = max(1, _NUMBERS // (batch * left[0].numel())) if left.device.type == "cuda" else 1
    with torch.inference_mode(False), evaluating(_above(network)):
        with torch.no_grad():
            codes = [torch.cat([network.head(some) for some in maps.split(images)]) for maps in (left, right)]
        sides = []
        for maps, others in ((left, codes[1]), (right, codes[0])):
            target = Cosine(others, detach_norm)
            parts = [_gradcams(network, some, target, batch) for some in maps.split(images)]
            sides.append([torch.cat(one) for one in zip(*parts, strict=True)])
    (cosines, ours), (_, theirs) = sides
    return AllPairs(as_array(cosines), as_array(ours), as_array(theirs.transpose(0, 1).contiguous()))


def _above(network: Any) -> nn.Module:
    """The modules above the features. Checking the mode of every module of a backbone takes longer than computing a map."""
    return nn.ModuleList([network.head, network.loss])


def _gradcams(network: Any, features: Tensor, target: Target, batch: int) -> tuple[Tensor, Tensor]:
    """Scores (n, T) and maps (n, T, h, w) of n feature maps (n, channels, h, w), for each of the target's T rows."""
    count, images = len(target), len(features)
    scores, maps, finite = [], [], []
    with torch.enable_grad():
        leaf = features.detach().clone().requires_grad_()
        embeddings = network.head(leaf.clone())
        for start in range(0, count, batch):
            rows = [min(row, count - 1) for row in range(start, start + batch)]
            ends = embeddings.detach().expand(batch, -1, -1).flatten(0, 1).clone().requires_grad_()  # target by target
            found = scores_of(network, ends, target.take([row for row in rows for _ in range(images)]))
            (slopes,) = torch.autograd.grad(found.sum(), ends)  # a score depends only on its own copy of the embedding
            pulled = _pulled(embeddings, leaf, slopes.view(batch, images, -1))
            finite.append(torch.isfinite(pulled).all())
            scores.append(found.detach().view(batch, images))
            maps.append(_maps(pulled.mean(dim=(3, 4)), features))
    found = torch.cat(scores)[:count].T
    check_scores(found, embeddings.detach(), target)
    check_finite(torch.stack(finite), target)
    return found, torch.cat(maps, 1)[:, :count]


def _pulled(embeddings: Tensor, leaf: Tensor, slopes: Tensor) -> Tensor:
    """Backpropagates derivatives (T, n, D) of embeddings (n, D) to their features, (T, n, channels, h, w)."""
    if len(slopes) == 1:
        (found,) = torch.autograd.grad(embeddings, leaf, slopes[0], retain_graph=True)
        return found[None]
    (found,) = torch.autograd.grad(embeddings, leaf, slopes, retain_graph=True, is_grads_batched=True)
    return found


def _maps(weights: Tensor, features: Tensor) -> Tensor:
    """Maps (n, T, h, w) from weights (T, n, channels) and features (n, channels, h, w)."""
    if weights.shape[:2] == (1, 1):
        return weighted(features[0], weights[0, 0])[None, None]  # to the last bit as the explainer
    products = torch.bmm(weights.transpose(0, 1), features.flatten(2))
    return torch.relu(products.view(len(features), len(weights), *features.shape[2:]))

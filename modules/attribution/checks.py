"""Checks shared by explainers of single images: inputs, finite scores and gradients, stacked maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from configs.contract import described
from modules.attribution.explainer import Refused
from modules.attribution.targets import Target
from modules.shape_inference import Size, sides


def check_images(images: Tensor, target: Target, size: Size) -> None:
    """Checks that images (N, 3, height, width) have the given ``size``, and that the target has one row for each.

    Raises:
        ValueError: they do not.
    """
    height, width = sides(size)
    if images.ndim != 4 or tuple(images.shape[2:]) != (height, width) or len(images) == 0:
        raise ValueError(f"images to explain are a tensor (N, 3, {height}, {width}) with N > 0; found {described(images)}")
    if len(images) != len(target):
        raise ValueError(f"the target has {len(target)} rows for {len(images)} images; give one for each image")


def finite_scores(network: Any, embeddings: Tensor, target: Target) -> Tensor:
    """Scores (N,) of embeddings (N, D).

    Raises:
        Refused: code ``not_finite``: a score is NaN or infinite, e.g. the cosine of an embedding of norm zero.
    """
    scores = scores_of(network, embeddings, target)
    check_scores(scores, embeddings, target)
    return scores


def scores_of(network: Any, embeddings: Tensor, target: Target) -> Tensor:
    """Scores (N,) of embeddings (N, D), any of which may be NaN: ``check_scores`` finds that out, for many batches at once."""
    scores = target.scores(network, embeddings)
    if scores.shape != (len(target),):
        raise ValueError(
            f"the target's scores are a tensor ({len(target)},), one per image; found {described(scores)} for embeddings "
            f"{tuple(embeddings.shape)}"
        )
    return scores


def check_scores(scores: Tensor, embeddings: Tensor, target: Target) -> None:
    """Raises Refused as ``finite_scores``. Reads from the device, which makes the CPU wait for a GPU."""
    if not bool(torch.isfinite(scores).all()):
        lengths = embeddings.detach().norm(dim=1)
        why = "an embedding has length 0, and so no direction" if bool((lengths == 0).any()) else "the network gives no number"
        raise Refused("not_finite", f"{target.words}: NaN or infinity for an image, since {why}")


def check_gradient(gradient: Tensor, target: Target) -> None:
    """Raises Refused if a derivative is NaN or infinite: methods that select by sign would treat NaN as "not positive"."""
    check_finite(torch.isfinite(gradient).all(), target)


def check_finite(finite: Tensor, target: Target) -> None:
    """As ``check_gradient``, from a bool tensor with one value per gradient: whether it is finite."""
    if not bool(finite.all()):
        raise Refused("not_finite", f"{target.words}: its derivative is NaN or infinite for an image")


def as_array(tensor: Tensor) -> np.ndarray:
    """Converts to a float32 NumPy array on the CPU."""
    return tensor.detach().float().cpu().numpy()


def stacked(maps: Sequence[Tensor]) -> tuple[np.ndarray, list[int]]:
    """Stacks maps (h, w) into a float32 array (N, h, w); also returns the indices of maps that are zero everywhere."""
    found = as_array(torch.stack(list(maps)))
    return found, [number for number, one in enumerate(found) if not one.any()]

"""Scores of many altered versions of one image, computed in batches of the same shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Target


def scores_of(network: Any, images: Tensor, targets: Target, batch: int, probability: bool = False) -> Tensor:
    """Scores (B, K) of images (B, 3, H, W) for each of the K rows of ``targets``, from a single forward pass.

    The batch is padded with mid-gray images to ``batch``, so that a score does not depend on the number of images.

    Args:
        network: in evaluation mode; as ``modules.network.Network``
        images: at most ``batch`` images
        targets: K targets, each applied to all images
        batch: images per forward pass
        probability: the softmax probability of the target's class instead of its logit

    Raises:
        Refused: ``no_probability``: the target is not a class; ``not_finite``: a score is NaN or infinite.
    """
    count = len(images)
    assert 0 < count <= batch, (count, batch)
    check_probability(targets, probability)
    with torch.no_grad():
        if count < batch:
            images = torch.cat([images, images.new_zeros((batch - count, *images.shape[1:]))])
        embeddings = network.embed(images)
        logits: Any = network.loss.logits(embeddings) if targets.classes else None  # of all classes at once
        if type(targets) is ClassLogit:
            found = logits[:, targets.labels.to(logits.device)]
        else:
            rows = [targets.take([row] * batch).scores(network, embeddings) for row in range(len(targets))]
            found = torch.stack(rows, 1)
        if probability:
            found = (found - logits.logsumexp(1, keepdim=True)).exp()
    found = found[:count]
    bad = int((~torch.isfinite(found)).any(1).sum())
    if bad:
        raise Refused(
            "not_finite",
            f"{bad} of {count} altered images score NaN or infinity, such as the cosine of an embedding of length 0",
        )
    return found


def check_probability(targets: Target, probability: bool) -> None:
    """Raises Refused if a probability is requested for a target that is not a class."""
    if probability and not targets.classes:
        raise Refused("no_probability", f"the {targets.words} has no softmax probability; use the score itself")

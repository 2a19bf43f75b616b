"""Scores of many altered versions of one image, computed in batches of the same shape."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Target


class AlteredScores:
    """Scores of altered images for each of the K rows of ``targets``, which are applied to all images.

    Nothing is read from the device until ``check``, so that a GPU need not wait between batches.

    Args:
        network: in evaluation mode; as ``modules.network.Network``
        targets: K targets
        batch: images per forward pass
        device: of the images
        probability: the softmax probability of the target's class instead of its logit

    Raises:
        Refused: ``no_probability``: the target is not a class.
    """

    def __init__(self, network: Any, targets: Target, batch: int, device: torch.device, probability: bool = False) -> None:
        check_probability(targets, probability)
        self.network, self.batch, self.probability = network, batch, probability
        self.targets = targets.to(device)
        plain = type(targets) is ClassLogit
        self.repeated = [] if plain else [self.targets.take([row] * batch) for row in range(len(targets))]
        self.count = 0
        self.bad = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, images: Tensor) -> Tensor:
        """Scores (B, K) of images (B, 3, H, W), at most ``batch``, from a single forward pass.

        The batch is padded with mid-gray images to ``batch``, so that a score does not depend on the number of images.
        """
        count = len(images)
        assert 0 < count <= self.batch, (count, self.batch)
        with torch.no_grad():
            if count < self.batch:
                images = torch.cat([images, images.new_zeros((self.batch - count, *images.shape[1:]))])
            embeddings = self.network.embed(images)
            logits: Any = self.network.loss.logits(embeddings) if self.targets.classes else None  # of all classes at once
            if type(self.targets) is ClassLogit:
                found = logits[:, self.targets.labels]
            else:
                found = torch.stack([row.scores(self.network, embeddings) for row in self.repeated], 1)
            if self.probability:
                found = (found - logits.logsumexp(1, keepdim=True)).exp()
            found = found[:count]
            self.count += count
            self.bad += (~torch.isfinite(found)).any(1).sum()
        return found

    def check(self) -> None:
        """Raises Refused, code ``not_finite``, if one of the scores so far is NaN or infinite."""
        if bad := int(self.bad):
            raise Refused(
                "not_finite",
                f"{bad} of {self.count} altered images score NaN or infinity, such as the cosine of an embedding of length 0",
            )


def check_probability(targets: Target, probability: bool) -> None:
    """Raises Refused if a probability is requested for a target that is not a class."""
    if probability and not targets.classes:
        raise Refused("no_probability", f"the {targets.words} has no softmax probability; use the score itself")

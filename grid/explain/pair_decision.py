"""The decision on two images: the cosine of the embeddings, computed as in a protocol, and that protocol's best threshold."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from grid.results.model_loader import Evaluated, Trained
from grid.spec.grid_file import BadInput
from grid.stages.evaluate import views


@dataclass(frozen=True)
class Limit:
    """A threshold and its origin."""

    value: float
    source: str
    evaluated: Evaluated | None  # None: given by the user

    @property
    def plain(self) -> float | None:
        """The threshold if it applies to plain embeddings, like those explained by the maps."""
        views = self.evaluated is not None and (self.evaluated.flip_test or self.evaluated.multi_crop is not None)
        return None if views else self.value


def limit_of(trained: Trained, threshold: float | None) -> Limit | None:
    """The given threshold, else that of the first protocol of the cell; None if there is neither."""
    if threshold is not None:
        return Limit(threshold, "--threshold", None)
    evaluated = next(iter(trained.evaluated()), None)
    if evaluated is None:
        return None
    best = evaluated.metrics["best_threshold"]
    mirrored = ", with mirror images added" if evaluated.flip_test else ""
    corners = ", with corners added" if evaluated.multi_crop is not None else ""
    source = (
        f"the best one of protocol {evaluated.title}{mirrored}{corners}: {100 * best['value']:.2f} % of its pairs are right"
    )
    return Limit(float(best["threshold"]), source, evaluated)


def cosine_of(network: Any, images: torch.Tensor, limit: Limit | None) -> float:
    """The cosine of images (2, 3, H, W), embedded with the views of the threshold's protocol.

    Raises:
        BadInput: an embedding has length zero.
    """
    evaluated = limit.evaluated if limit else None
    look: Any = SimpleNamespace(
        flip_test=evaluated is not None and evaluated.flip_test, multi_crop=evaluated and evaluated.multi_crop
    )
    with torch.inference_mode():
        one, other = sum(network.embed(view(images)) for view in views(look)).double()
    if not bool(one.norm() * other.norm() > 0):
        raise BadInput("the network gives an embedding of length 0, which has no direction, and so no cosine")
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))

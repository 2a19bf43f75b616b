"""Validation of a network with several targets: accumulates over batches and reports at the end of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from modules.layers.gathering import gathered_batches
from modules.targets import Measured, TargetLosses, TargetsConfig

Reduce = Callable[[list[float]], list[float]]


def loss_together(loss: Any, embeddings: Tensor, labels: Tensor) -> float | None:
    """The loss, without a classifier, of all validation images as one batch.

    Args:
        loss: ``loss(embeddings, labels) -> scalar``
        embeddings: (N, D)
        labels: int64 (N,)

    Returns:
        None unless two images are of one class and another is of a different one: then there are no pairs to compare.
    """
    return float(loss(embeddings, labels)) if 1 < len(labels.unique()) < len(labels) else None


class TargetValidation:
    """One epoch's validation.

    Attributes:
        images: number of images measured on this device
    """

    def __init__(self, config: TargetsConfig) -> None:
        self.config = config
        self.images = 0
        self._sums: dict[str, list[Any]] = {name: [0.0, 0.0, 0] for name in config.names}  # loss, score, rows; see ``Measured``
        self._embedded: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in config.names}

    def add(self, measured: Mapping[str, Measured], images: int) -> None:
        """Adds the result of ``TargetLosses.measure`` for a batch."""
        self.images += images
        for name, found in measured.items():
            sums = self._sums[name]
            self._sums[name] = [sums[0] + found.loss, sums[1] + found.score, sums[2] + found.rows]
            if found.embedded is not None:
                self._embedded[name].append(found.embedded)

    def result(
        self, reduce: Reduce, losses: TargetLosses, device: torch.device
    ) -> tuple[float | None, float | None, dict[str, Any]]:
        """Returns (validation loss, accuracy of the primary target, row of the history).

        The loss is the sum of the targets' losses with their fixed weights, None if no target has labels. Learned weights do
        not count, because they change from epoch to epoch. For each target the row has ``validation_loss_NAME`` and
        ``validation_accuracy_NAME``, or for numeric targets ``validation_mae_NAME``, the mean absolute error in the column's
        unit; None if there are no labels. A target with classes and without a classifier has no accuracy, and its loss is that
        of all images together, see ``loss_together``.

        Args:
            reduce: sums numbers over all devices
            losses: of the validated network, in evaluation mode
            device: of the network
        """
        total: float | None = None
        row: dict[str, Any] = {}
        for name in self.config.names:
            part = self.config.parts[name]
            loss, score, rows = reduce([float(value) for value in self._sums[name]])
            mean = None if not rows else self._together(name, losses, device) if part.compares else loss / rows
            row[f"validation_loss_{name}"] = mean
            if mean is not None:
                total = (total or 0.0) + part.weight * mean
            if part.loss.classifies or part.loss.predicts == "number":
                row[f"validation_{'accuracy' if part.loss.classifies else 'mae'}_{name}"] = score / rows if rows else None
        return total, row.get(f"validation_accuracy_{self.config.primary}"), row

    def _together(self, name: str, losses: TargetLosses, device: torch.device) -> float | None:
        nothing = torch.empty(0, losses.input_dimension(name), device=device), torch.empty(0, device=device)
        embeddings, classes = gathered_batches(self._embedded[name] or [nothing])  # nothing: fewer images than ranks
        known = ~classes.isnan()
        return loss_together(losses.of(name), embeddings[known], classes[known].long())

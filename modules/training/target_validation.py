"""Validation of a network with several targets: accumulates over batches and reports at the end of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modules.targets import Measured, TargetsConfig

Reduce = Callable[[list[float]], list[float]]


class TargetValidation:
    """One epoch's validation.

    Attributes:
        images: number of images measured on this device
    """

    def __init__(self, config: TargetsConfig) -> None:
        self.config = config
        self.images = 0
        self._sums: dict[str, list[Any]] = {name: [0.0, 0.0, 0] for name in config.names}  # loss, score, rows; see ``Measured``

    def add(self, measured: Mapping[str, Measured], images: int) -> None:
        """Adds the result of ``TargetLosses.measure`` for a batch."""
        self.images += images
        for name, found in measured.items():
            sums = self._sums[name]
            self._sums[name] = [
                sums[0] + found.loss,
                sums[1] if found.score is None else sums[1] + found.score,
                sums[2] + found.rows,
            ]

    def result(self, reduce: Reduce) -> tuple[float | None, float | None, dict[str, Any]]:
        """Returns (validation loss, accuracy of the primary target, row of the history).

        The loss is the sum of the targets' losses with their fixed weights, None if no target has labels. Learned weights do
        not count, because they change from epoch to epoch. For each target the row has ``validation_loss_NAME`` and
        ``validation_accuracy_NAME``, or for numeric targets ``validation_mae_NAME``, the mean absolute error in the column's
        unit; None if there are no labels.

        Args:
            reduce: sums numbers over all devices
        """
        total: float | None = None
        row: dict[str, Any] = {}
        for name in self.config.names:
            part = self.config.parts[name]
            loss, score, rows = reduce([float(value) for value in self._sums[name]])
            row[f"validation_loss_{name}"] = loss / rows if rows else None
            if rows:
                total = (total or 0.0) + part.weight * loss / rows
            if part.loss.classifies or part.loss.predicts == "number":
                row[f"validation_{'accuracy' if part.loss.classifies else 'mae'}_{name}"] = score / rows if rows else None
        return total, row.get(f"validation_accuracy_{self.config.primary}"), row

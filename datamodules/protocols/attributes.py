"""Attribute recognition on any dataset with labels: the predictions for the training's targets against the columns of the data.

Every target of the cell except the identity is evaluated, or those in ``targets``. The training images must not be among the
protocol's: use another part of the dataset (``part: held_out``), its published validation split, or another dataset.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.cohorts import check_columns, parts
from datamodules.evaluation_sets.labeled_images import LabeledImages
from datamodules.evaluation_sets.tasks import OnDatasetConfig, TaskConfig


class AttributesProtocolConfig(OnDatasetConfig, TaskConfig):
    """Fields:
    targets: names of the training's targets; empty: all
    cohorts: columns of the dataset, several joined by ``*``, by whose classes every metric is also reported; empty: none
    tolerance: of the cumulative score, in the unit of the column: the share of images whose absolute error is at most this
    bins: number of confidence bins of the reliability curve
    resamples: of the bootstrap
    seed: of the bootstrap
    """

    name: Literal["attributes"] = "attributes"
    task: ClassVar[str] = "attributes"
    targets: tuple[str, ...] = ()
    cohorts: tuple[str, ...] = ()
    tolerance: float = Field(default=5.0, ge=0)
    bins: int = Field(default=15, ge=2)
    resamples: int = Field(default=1000, ge=100)
    seed: int = Field(default=0, ge=0)

    def evaluation_identity(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in ("tolerance", "bins", "resamples", "seed")}
        cohorts = {"cohorts": list(self.cohorts)} if self.cohorts else {}  # added later: without them ids stay as they were
        return {**super().evaluation_identity(), **own, "targets": list(self.targets), **cohorts}

    def asked(self, manifest: Manifest) -> LabeledImages:
        """All images, with the labels of all columns.

        Raises:
            ValueError: the dataset has no columns, or not those of the cohorts.
        """
        columns: Any = self.data.columns(manifest)
        if not columns:
            raise ValueError(
                f"protocol {self.title}: dataset {self.data.name} has no columns, so no attribute can be evaluated"
            )
        if self.cohorts:
            names = [name for cohort in self.cohorts for name in parts(cohort)]
            classes = {name: column.classes for name, column in columns.items()}
            check_columns(names, classes, f"protocol {self.title}", f"dataset {self.data.name}")
        subjects = np.unique(np.array(manifest.identities), return_inverse=True)[1] if self.data.identified else None
        return LabeledImages(np.arange(len(manifest.keys), dtype=np.int64), columns, subjects)

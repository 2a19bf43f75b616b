"""Clustering on any dataset: the images of a number of subjects are grouped without using their labels.

Subjects and images are selected by the hashes of (seed, subject) and (seed, image), so the selection does not depend on the
dataset's order, and a larger number of subjects includes the smaller ones.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.tasks import ClusteringConfig, OnDatasetConfig
from datamodules.evaluation_sets.templates import Clustering
from datamodules.split import draw, rows_of


class ClusteringProtocolConfig(OnDatasetConfig, ClusteringConfig):
    name: Literal["clustering"] = "clustering"
    subjects: Annotated[int, Field(ge=2)] | None = None  # None: all
    images: PositiveInt | None = None  # maximum number of images per subject; None: all
    at_least: PositiveInt = 2  # minimum number of images of a subject to be eligible
    seed: int = 0

    @model_validator(mode="after")
    def _enough(self) -> ClusteringProtocolConfig:
        if self.images is not None and self.images < self.at_least:
            raise ValueError(f"images: at most {self.images} of each subject, but at_least asks for {self.at_least}")
        return self

    def clustering(self, manifest: Manifest) -> Clustering:
        """Rows in ascending order; labels number the selected subjects by name, from 0.

        Raises:
            ValueError: too few subjects have enough images.
        """
        rows = rows_of(manifest.identities)
        able = [who for who, theirs in rows.items() if len(theirs) >= self.at_least]
        if len(able) < (self.subjects or 2):
            raise ValueError(
                f"protocol {self.title}: {len(able)} of {len(rows)} subjects have {self.at_least} images, "
                f"{self.subjects or 2} are needed"
            )
        chosen = sorted(sorted(able, key=partial(draw, self.seed))[: self.subjects])
        found = []
        for label, who in enumerate(chosen):
            drawn = sorted(rows[who], key=lambda row: draw(self.seed, manifest.keys[row]))[: self.images]
            found += [(row, label) for row in drawn]
        numbers = np.array(sorted(found), np.int64)
        return Clustering(numbers[:, 0], numbers[:, 1])

"""Identification among a growing number of distractors on any dataset, as in MegaFace.

Kemelmacher-Shlizerman et al.: The MegaFace benchmark. CVPR 2016, Challenge 1. Probe subjects have two images or more; one image
of each other subject is a distractor. Subjects and images are selected by the hashes of (seed, subject) and (seed, image).
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.tasks import ClusteringConfig, OnDatasetConfig
from datamodules.evaluation_sets.templates import Clustering
from datamodules.split import draw, rows_of


class DistractorsProtocolConfig(OnDatasetConfig, ClusteringConfig):
    name: Literal["distractors"] = "distractors"
    task: ClassVar[str] = "distractors"
    subjects: PositiveInt | None = None  # probe subjects; None: all with two images or more
    images: Annotated[int, Field(ge=2)] | None = None  # maximum number of images of a probe subject; None: all
    sizes: tuple[PositiveInt, ...] = ()  # numbers of distractors; empty: 10, 100, 1,000, ... and all
    seed: int = 0

    def clustering(self, manifest: Manifest) -> Clustering:
        """Rows in ascending order; labels number the subjects by name, from 0. A subject with one row is a distractor.

        Raises:
            ValueError: there are too few probe subjects or distractors.
        """
        rows = rows_of(manifest.identities)
        able = sorted((who for who, theirs in rows.items() if len(theirs) > 1), key=partial(draw, self.seed))
        chosen = set(able[: self.subjects])
        others, needed = len(rows) - len(chosen), max(self.sizes, default=1)
        if len(chosen) < (self.subjects or 1) or others < needed:
            raise ValueError(
                f"protocol {self.title}: {len(able)} of {len(rows)} subjects have two images, and {others} others give "
                f"distractors; {self.subjects or 1} and {needed} are needed: lower subjects or sizes"
            )
        found = []
        for label, who in enumerate(sorted(rows)):
            drawn = sorted(rows[who], key=lambda row: draw(self.seed, manifest.keys[row]))
            found += [(row, label) for row in drawn[: self.images if who in chosen else 1]]
        numbers = np.array(sorted(found), np.int64)
        return Clustering(numbers[:, 0], numbers[:, 1])

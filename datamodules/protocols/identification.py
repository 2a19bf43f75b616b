"""Closed- and open-set identification on any dataset.

The template of a gallery subject is made of ``gallery`` of its images; its other images are probes. A share of the subjects is
not in the gallery, and all their images are non-mated probes. Images and subjects are selected by the hashes of (seed, subject)
and (seed, image), so the selection does not depend on the dataset's order.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.tasks import IdentificationConfig, OnDatasetConfig
from datamodules.evaluation_sets.templates import Identification, Templates
from datamodules.split import draw, rows_of


class IdentificationProtocolConfig(OnDatasetConfig, IdentificationConfig):
    name: Literal["identification"] = "identification"
    gallery: PositiveInt = 1  # gallery images per subject
    probes: PositiveInt | None = None  # maximum number of probes per subject
    unknown: Annotated[float, Field(ge=0, lt=1)] = 0.0  # fraction of the subjects with enough images left out of the gallery
    few: Literal["leave_out", "unknown"] = "leave_out"  # subjects with no image beyond the gallery's; or non-mated probes
    seed: int = 0

    def identification(self, manifest: Manifest) -> Identification:
        """Labels number the manifest's subjects by name, from 0.

        Raises:
            ValueError: no subject has enough images for a gallery and a probe.
        """
        rows = rows_of(manifest.identities)
        enough = [who for who, theirs in rows.items() if len(theirs) > self.gallery]
        non_mated = set(sorted(enough, key=partial(draw, self.seed))[: round(self.unknown * len(enough))])
        known = [who for who in enough if who not in non_mated]
        if not enough:
            raise ValueError(
                f"protocol {self.title}: no subject has more than {self.gallery} images, so there is no gallery with probes"
            )
        if not known:
            raise ValueError(
                f"protocol {self.title}: unknown: {self.unknown:g} leaves none of the {len(enough)} subjects with more than "
                f"{self.gallery} images in the gallery; lower it"
            )
        if self.few == "unknown":
            non_mated |= set(rows) - set(enough)
        made: list[tuple[list[int], int]] = []  # images and subject of each template
        held: list[int] = []
        asked: list[int] = []
        for label, who in enumerate(sorted(rows)):
            if who not in non_mated and len(rows[who]) <= self.gallery:
                continue
            drawn = sorted(rows[who], key=lambda row: draw(self.seed, manifest.keys[row]))
            first = 0 if who in non_mated else self.gallery
            if first:
                held.append(len(made))
                made.append((sorted(drawn[:first]), label))
            stop = None if self.probes is None else first + self.probes
            for row in drawn[first:stop]:
                asked.append(len(made))
                made.append(([row], label))
        flat = np.array([row for images, _ in made for row in images], np.int64)
        template = np.repeat(np.arange(len(made), dtype=np.int64), [len(images) for images, _ in made])
        templates = Templates.of(flat, flat, template, {number: label for number, (_, label) in enumerate(made)})
        return Identification(templates, np.array(asked, np.int32), (np.array(held, np.int32),))

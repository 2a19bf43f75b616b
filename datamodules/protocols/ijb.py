"""1:1 verification of templates on IJB-B and IJB-C.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. The embeddings of each medium are averaged, then the media of a template are summed and
normalised. The three common variants are fields: N ``norm``, D ``detector_score``, F ``flip_test``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from configs.component import LOCATION, Born, Missing
from configs.interfaces import Manifest
from datamodules.datasets.ijb import IJBDatasetConfig as Ijb
from datamodules.evaluation_sets.ijb_templates import ijb_templates, places_of
from datamodules.evaluation_sets.tasks import TemplatesConfig
from datamodules.evaluation_sets.templates import Comparisons
from datamodules.list_readers.ijb import Set, files, line_of, read_template_pairs


class IJBProtocolConfig(TemplatesConfig):
    name: Literal["ijb"] = "ijb"
    set: Set = "ijbc"
    root: Annotated[Path, LOCATION]
    norm: bool = True  # N: embeddings keep their norm, which weights them; False normalises each one first
    detector_score: bool = True  # D: weight each embedding by its detection score
    flip_test: bool = True  # F: add the embedding of the mirrored image
    on_bad_image: Annotated[Literal["fail", "skip"], Born("fail")] = "fail"  # skip: use a template's remaining images, if any

    def dataset(self) -> Ijb:
        return Ijb(set=self.set, root=self.root, on_bad_image=self.on_bad_image)

    def evaluation_identity(self) -> dict[str, Any]:
        return super().evaluation_identity() | {"norm": self.norm}  # detector scores are already in the templates' weights

    def missing(self) -> Missing | None:
        return self.dataset().missing() or self.dataset().lacking(files(self.set).pairs)

    def comparisons(self, manifest: Manifest) -> Comparisons:
        """For IJB-C: 23,124 templates of 469,375 images and 15,658,489 pairs; subjects are unknown (label -1)."""
        data = self.dataset()
        if missing := data.lacking(files(self.set).pairs):
            raise ValueError(str(missing))
        templates = ijb_templates(data, manifest, self.detector_score)
        listed = read_template_pairs(data.meta() / files(self.set).pairs)
        left, right = places_of(templates, listed.left), places_of(templates, listed.right)
        for places, numbers in ((left, listed.left), (right, listed.right)):
            if len(bad := np.flatnonzero(places < 0)):
                line = line_of(listed.file, int(bad[0]))
                raise ValueError(
                    f"{listed.file}, line {line}: names template {numbers[bad[0]]}, which {files(self.set).faces} does not have"
                )
        return Comparisons(templates, left, right, listed.same)

"""1:1 verification of templates on IJB-B and IJB-C.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. The embeddings of a medium are averaged, then those of a template's media summed and brought
to unit length. The field names three variants, which are fields here: N ``norm``, D ``detector_score``, F ``flip_test``.
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
    norm: bool = True  # N: embeddings keep their length, which weighs them; False brings each to unit length first
    detector_score: bool = True  # D: each embedding is weighed by its detector's score
    flip_test: bool = True  # F: the mirror image's embedding is added
    on_bad_image: Annotated[Literal["fail", "skip"], Born("fail")] = "fail"  # skip: templates do without, while one is left

    def dataset(self) -> Ijb:
        return Ijb(set=self.set, root=self.root, on_bad_image=self.on_bad_image)

    def evaluation_identity(self) -> dict[str, Any]:
        return super().evaluation_identity() | {"norm": self.norm}  # detector scores are weights of the templates

    def missing(self) -> Missing | None:
        return self.dataset().missing() or self.dataset().lacking(files(self.set).pairs)

    def comparisons(self, manifest: Manifest) -> Comparisons:
        """IJB-C: 23,124 templates of 469,375 images, and 15,658,489 pairs of them; subjects stay unknown (label -1)."""
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

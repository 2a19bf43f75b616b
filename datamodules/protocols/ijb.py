"""1:1 verification of templates on IJB-B and IJB-C.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. The embeddings of each medium are averaged, then the media of a template are summed and
normalized. The three common variants are fields: N ``norm``, D ``detector_score``, F ``flip_test``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.ijb_templates import IJBConfig, ijb_templates, places_of
from datamodules.evaluation_sets.tasks import TemplatesConfig
from datamodules.evaluation_sets.templates import Comparisons
from datamodules.list_readers.ijb import files, line_of, read_template_pairs


class IJBProtocolConfig(IJBConfig, TemplatesConfig):
    name: Literal["ijb"] = "ijb"

    def lists(self) -> tuple[str, ...]:
        return (files(self.set).pairs,)

    def comparisons(self, manifest: Manifest) -> Comparisons:
        """For IJB-C: 23,124 templates of 469,375 images and 15,658,489 pairs; subjects are unknown (label -1)."""
        data = self.dataset()
        if missing := data.lacking(*self.lists()):
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

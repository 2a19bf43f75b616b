"""1:N identification of templates on IJB-B and IJB-C: mixed probes and two subject-disjoint galleries.

Whitelam et al.: IARPA Janus Benchmark-B face dataset. CVPR workshops 2017. Maze et al.: IARPA Janus Benchmark-C: face
dataset and protocol. ICB 2018. Each probe is searched in both galleries. Its subject is in only one of them, so the probe is
non-mated in the other and the search is open-set. Public code often joins the galleries, which makes every probe mated:
``galleries: joined``.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from configs.data_interfaces import Manifest
from datamodules.evaluation_sets.ijb_templates import IJBConfig, ijb_templates, places_of
from datamodules.evaluation_sets.tasks import IdentificationConfig
from datamodules.evaluation_sets.templates import Identification
from datamodules.list_readers.ijb import files, read_subjects


class IJBSearchProtocolConfig(IJBConfig, IdentificationConfig):
    name: Literal["ijb_search"] = "ijb_search"
    galleries: Literal["separate", "joined"] = "separate"

    def lists(self) -> tuple[str, ...]:
        names = files(self.set)
        return (*names.galleries, names.probes)

    def identification(self, manifest: Manifest) -> Identification:
        """Labels are subject numbers (SUBJECT_ID).

        Raises:
            ValueError: a list is missing or invalid, or names a template without images or with two subjects.
        """
        data = self.dataset()
        if missing := data.lacking(*self.lists()):
            raise ValueError(str(missing))
        listed = [(data.meta() / name, read_subjects(data.meta() / name)) for name in self.lists()]
        known: dict[int, int] = {}  # subject of each template, from all lists
        for file, subjects in listed:
            for number, who in subjects.items():
                if known.setdefault(number, who) != who:
                    raise ValueError(
                        f"{file}: template {number} shows subject {who}, and in another list subject {known[number]}"
                    )
        templates = ijb_templates(data, manifest, self.detector_score, known)
        found = []
        for file, subjects in listed:
            numbers = np.fromiter(subjects, np.int64, len(subjects))
            places = places_of(templates, numbers)
            if len(bad := np.flatnonzero(places < 0)):
                raise ValueError(
                    f"{file}: template {numbers[bad[0]]} has no image in {files(self.set).faces} ({len(bad)} have none)"
                )
            found.append(places)
        *galleries, probes = found
        held = tuple(galleries) if self.galleries == "separate" else (np.concatenate(galleries),)
        return Identification(templates, probes, held)

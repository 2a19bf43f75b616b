"""A few images of a protocol, for trying preprocessing: those of some of its pairs, with faces cropped in each usual way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from configs.data_interfaces import ProtocolConfig
from configs.lookup import resolve
from datamodules.split import rows_of
from grid.judge.preprocessing import FACES
from grid.plan.inputs import InputResolver
from modules.metrics.pair_rates import connected

GENUINE, IMPOSTOR = 240, 80  # pairs, so at most 640 images; images of different subjects make many more impostor pairs


class Sample:
    """The images of some genuine and some impostor pairs, or of all if there are fewer.

    Attributes:
        subjects: int (images,), the number of each image's subject. InsightFace's files and IJB's 1:1 lists name none; there,
            the genuine pairs say which images are of one subject; the few that they do not say count as impostor pairs
        listed: whether the dataset lists landmarks
    """

    def __init__(
        self,
        protocol: ProtocolConfig,
        resolver: InputResolver,
        genuine: int = GENUINE,
        impostor: int = IMPOSTOR,
        seed: int = 0,
    ) -> None:
        data = resolver.dataset(protocol)
        manifest = resolver.manifest(data)
        one, other, same = _pairs(protocol, manifest)
        rng = np.random.default_rng(seed)
        asked = ((np.flatnonzero(same), genuine), (np.flatnonzero(~same), impostor))
        chosen = np.concatenate([rng.permutation(pairs)[:count] for pairs, count in asked])
        rows = np.unique(np.stack([one[chosen], other[chosen]]))
        self.subjects = np.unique(_subjects(manifest.identities, one[same], other[same])[rows], return_inverse=True)[1]
        if len(rows) < 3 or not 1 < len(set(self.subjects)) < len(rows):
            raise ValueError(f"protocol {protocol.title}: needs pairs of one subject and of two for trying preprocessing")
        subset: Any = manifest.subset(rows.tolist())
        images = data.build(subset)
        self.images = [images.image(row) for row in range(len(rows))]
        self._listed = data.detections(subset) if hasattr(data, "detections") else None
        self.listed = self._listed is not None
        self._keys = list(subset.keys)
        self._detected: list[Any] | None = None

    def crops(self, faces: str, size: int | tuple[int, int]) -> np.ndarray:
        """uint8 (images, height, width, 3); ``faces`` is a key of ``FACES``."""
        config: Any = resolve("detector", FACES[faces])
        detector = config.build()
        if config.trivial:
            found = detector.detect(self.images)
        elif self._listed is not None and getattr(config, "listed", False):
            found = [self._listed.row(key) for key in self._keys]
        else:
            if self._detected is None:  # the boxes do not depend on the alignment
                self._detected = detector.detect(self.images)
            found = self._detected
        return np.stack([detector.crop(image, face, size) for image, face in zip(self.images, found, strict=True)])


def _subjects(identities: Sequence[str], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(images,): equal for images of one identity, and of identities that are linked by genuine pairs."""
    numbers = np.unique(np.asarray(identities), return_inverse=True)[1]
    return connected(numbers[one], numbers[other], int(numbers.max()) + 1)[1][numbers]


def _pairs(protocol: Any, manifest: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the manifest and kind of each pair; of templates, their first images.

    Raises:
        ValueError: the protocol compares no pairs.
    """
    if protocol.task == "verification":
        found = protocol.pairs(manifest)
        return found.left, found.right, found.same
    if protocol.task == "templates":
        asked = protocol.comparisons(manifest)
        first = np.zeros(len(asked.templates), np.int64)
        first[asked.templates.template[::-1]] = asked.templates.rows[::-1]
        return first[asked.left], first[asked.right], asked.same
    several = [theirs for theirs in rows_of(manifest.identities).values() if len(theirs) > 1]
    if len(several) < 2:
        raise ValueError(f"protocol {protocol.title}: no subject has two images, so no pairs can be made")
    firsts = [theirs[0] for theirs in several]
    left = np.array([*firsts, *firsts], np.int64)
    right = np.array([*(theirs[1] for theirs in several), *firsts[1:], firsts[0]], np.int64)
    return left, right, np.arange(len(left)) < len(several)

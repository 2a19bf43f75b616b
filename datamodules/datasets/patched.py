"""The images of a protocol of pairs, the first image of each pair with patches of another image, as in Patch-LFW.

Each pair has its own patched image, so an image in several pairs gets the patches of one pair only. Its digest is that of the
digests of both images and of the places, so no image has to be read for a plan. Protocol ``patched_pairs`` compares the pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from configs.component import Missing, digest
from configs.data_interfaces import Column, Dataset, DatasetConfig, Pairs
from configs.data_interfaces import Manifest as AnyManifest
from datamodules.derived_dataset import DerivedDatasetConfig, DerivedManifest
from datamodules.patches import Patches, PatchesConfig, boxes, patches_of


class PatchedDatasetConfig(PatchesConfig, DerivedDatasetConfig):
    name: Literal["patched"] = "patched"

    @property
    def data(self) -> DatasetConfig:
        """The dataset of the images before they are patched."""
        return self.protocol.dataset()

    def untransformed(self) -> DatasetConfig:
        """The same rows without patches."""
        return self.model_copy(update={"patches": 0, "genuine_places": None, "impostor_places": None})

    def missing(self) -> Missing | None:
        found: Missing | None = self.protocol.missing()
        return found or self.lists_missing()

    def columns(self, manifest: AnyManifest) -> Mapping[str, Column]:
        assert isinstance(manifest, PatchedManifest)
        rows = np.array(manifest.rows, np.int64)
        columns: Mapping[str, Any] = self.data.columns(manifest.original)
        return {name: replace(column, values=column.values[rows]) for name, column in columns.items()}

    def build(self, manifest: AnyManifest) -> PatchedImages:
        assert isinstance(manifest, PatchedManifest)
        return PatchedImages(manifest, self.data.build(manifest.original), self.side, self.area)

    def derived(self, original: AnyManifest) -> PatchedManifest:
        """First the second images of the pairs, in the order of the dataset, then the patched first images, a row per pair."""
        pairs: Pairs = self.protocol.pairs(original)
        every = patches_of(self, pairs, original.identities)
        plain = np.unique(pairs.right).tolist()
        firsts = pairs.left.tolist()
        rows = [*plain, *firsts]
        digests = [original.digests[row] for row in plain]
        for row, one in zip(firsts, every, strict=True):
            facts = [original.digests[row], original.digests[one.source], one.places, self.side, self.area]
            digests.append(digest(facts) if one.places else original.digests[row])
        keys = [original.keys[row] for row in plain]
        return PatchedManifest(
            keys=(*keys, *(patched_key(pair, original.keys[row]) for pair, row in enumerate(firsts))),
            identities=tuple(original.identities[row] for row in rows),
            widths=tuple(original.widths[row] for row in rows),
            heights=tuple(original.heights[row] for row in rows),
            digests=tuple(digests),
            skipped=original.skipped,
            source=original,
            rows=tuple(rows),
            patches=(*(None for _ in plain), *every),
            original_pairs=pairs,
        )


def patched_key(pair: int, key: str) -> str:
    """The key of the patched first image ``key`` of pair ``pair``, counted from 0."""
    return f"patched/{pair}/{key}"


@dataclass(frozen=True)
class PatchedManifest(DerivedManifest):
    """Attributes:
    rows: the row of each image in ``original``, which is that of all images, whole
    patches: the patches of each image; None for the second images of the pairs
    original_pairs: the pairs, as rows there
    """

    columns: ClassVar[tuple[str, ...]] = (*DerivedManifest.columns, "rows", "patches")
    rows: tuple[int, ...] = ()
    patches: tuple[Patches | None, ...] = ()
    original_pairs: Any = None


class PatchedImages:
    """Images patched on each access; row i is row i of the manifest."""

    def __init__(self, manifest: PatchedManifest, images: Dataset, side: int, area: float) -> None:
        self.manifest = manifest
        self.images = images
        self.side = side
        self.area = area

    def __len__(self) -> int:
        return len(self.manifest)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3); errors as those of the original dataset.

        A patch comes from the same place of the source, resized if the two images differ in size.
        """
        image = self.images.image(self.manifest.rows[index])
        patches = self.manifest.patches[index]
        if patches is None or not patches.places:
            return image
        import cv2

        image, source = image.copy(), self.images.image(patches.source)
        for here, there in zip(self._boxes(index, image), self._boxes(index, source), strict=True):
            patch = source[there[0] : there[2], there[1] : there[3]]
            height, width = here[2] - here[0], here[3] - here[1]
            if patch.shape[:2] != (height, width):
                smaller = height * width < patch.shape[0] * patch.shape[1]
                patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
            image[here[0] : here[2], here[1] : here[3]] = patch
        return image

    def mask(self, index: int, on: int | None = None) -> np.ndarray:
        """bool (height, width): where the image was patched; nowhere for the second image of a pair.

        Args:
            on: another image, where these places are marked instead
        """
        shown = index if on is None else on
        found = np.zeros((self.manifest.heights[shown], self.manifest.widths[shown]), bool)
        for top, left, bottom, right in self._boxes(index, found):
            found[top:bottom, left:right] = True
        return found

    def _boxes(self, index: int, image: np.ndarray) -> list[tuple[int, int, int, int]]:
        patches = self.manifest.patches[index]
        return boxes(patches.places if patches else (), self.side, self.area, image.shape[0], image.shape[1])

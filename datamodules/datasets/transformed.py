"""The images of another dataset after transforms, such as JPEG compression.

Keys and identities are those of the other dataset. The digest of an image is that of the original's digest and the transforms'
settings, so no transformed image has to be read for a plan. Protocols with ``transforms`` are evaluated on such a dataset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from configs.component import Missing, digest
from configs.data_interfaces import Column, Dataset, DatasetConfig
from configs.data_interfaces import Manifest as AnyManifest
from configs.lookup import component
from configs.transforms import Transform
from datamodules.derived_dataset import DerivedDatasetConfig, DerivedManifest


class TransformedDatasetConfig(DerivedDatasetConfig):
    """``transforms`` are applied in order, to the image as it is decoded; face detection comes after them."""

    name: Literal["transformed"] = "transformed"
    needs: ClassVar[str] = "data: another dataset; transforms: the list of transforms"
    terms: ClassVar[str] = "those of the other dataset"
    origin: ClassVar[str] = "computed from the other dataset when it is read"
    data: component("data")  # type: ignore[valid-type]
    transforms: tuple[component("transform"), ...] = Field(min_length=1)  # type: ignore[valid-type]

    def untransformed(self) -> DatasetConfig:
        return self.data.untransformed()

    def least_images(self) -> int:
        return self.data.least_images()

    def missing(self) -> Missing | None:
        return self.data.missing()

    def columns(self, manifest: AnyManifest) -> Mapping[str, Column]:
        assert isinstance(manifest, TransformedManifest)
        return self.data.columns(manifest.original)

    def official_validation(self, manifest: AnyManifest) -> np.ndarray | None:
        assert isinstance(manifest, TransformedManifest)
        return self.data.official_validation(manifest.original)

    def build(self, manifest: AnyManifest) -> TransformedImages:
        assert isinstance(manifest, TransformedManifest)
        return TransformedImages(manifest, self.data.build(manifest.original), [one.build() for one in self.transforms])

    def derived(self, original: AnyManifest) -> TransformedManifest:
        settings = [one.identity() for one in self.transforms]
        shapes = [self._shape(*sides) for sides in zip(original.heights, original.widths, strict=True)]
        return TransformedManifest(
            keys=tuple(original.keys),
            identities=tuple(original.identities),
            widths=tuple(width for _, width in shapes),
            heights=tuple(height for height, _ in shapes),
            digests=tuple(digest([one, settings]) for one in original.digests),
            skipped=original.skipped,
            source=original,
        )

    def _shape(self, height: int, width: int) -> tuple[int, int]:
        for one in self.transforms:
            height, width = one.shape(height, width)
        return height, width


class TransformedManifest(DerivedManifest):
    """Its rows are those of ``original``."""

    def subset(self, rows: Iterable[int]) -> Self:
        """See ``Manifest.subset``."""
        chosen = [int(row) for row in rows]
        return replace(super().subset(chosen), source=self.original.subset(chosen))


class TransformedImages:
    """Images transformed on each access; row i is row i of the manifest."""

    def __init__(self, manifest: TransformedManifest, images: Dataset, transforms: Sequence[Transform]) -> None:
        self.manifest = manifest
        self.images = images
        self.transforms = transforms

    def __len__(self) -> int:
        return len(self.manifest)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3); errors as those of the original dataset."""
        image = self.images.image(index)
        for transform in self.transforms:
            image = transform(image)
        return image

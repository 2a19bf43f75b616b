"""Base classes of datasets whose images lie in container files.

A file is listed once (its headers are read) and its images are scanned once (every image is read and decoded). Both results are
cached while the files' sizes and modification times are unchanged.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveInt

from configs.data_interfaces import DatasetConfig, Progress
from configs.data_interfaces import Manifest as AnyManifest
from datamodules import image_index as images_of
from datamodules.formats.byte_ranges import ByteRanges, Fetcher, Listing, Placed, State, state
from datamodules.formats.files import choose, share_of
from datamodules.formats.manifest_cache import keep_listing, keep_manifest, recall_listing, recall_manifest
from datamodules.list_readers.subject_names import names_in
from datamodules.manifest import Manifest, enough

Unwrap = Callable[[bytes, int], bytes]
"""The bytes at a place, and how they are coded there, to the bytes of the image; ValueError where they are damaged."""


class ContainerConfig(DatasetConfig):
    """A dataset in a few container files; a subclass chooses the files and lists their contents."""

    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """All files that the listing depends on, container files first.

        Raises:
            ValueError: a needed file is missing.
        """

    @abstractmethod
    def listing(self, files: tuple[Path, ...]) -> Listing:
        """The images in the files, none of them decoded.

        Raises:
            ValueError: a file is damaged or malicious; gives file and offset.
        """

    @abstractmethod
    def unwrap(self) -> Unwrap:
        """The function that decodes stored bytes; module-level, so that the dataset can be pickled."""

    def chosen(self, listing: Listing) -> Sequence[int]:
        """The rows selected by the settings."""
        return range(len(listing.keys))

    def evaluated(self, manifest: Placed, listing: Listing) -> Placed:
        """The manifest after the skip policy; ValueError if it contradicts the files' own metadata."""
        return manifest

    def manifest(self, cache: Path) -> Manifest | None:
        files, now = self._now()
        if (kept := recall_manifest(cache, (self.name, now, self.identity()), files)) is not None:
            return kept
        found = recall_listing(cache, (self.name, now, None), files)
        if found is None:
            return None
        part = self._part(found)
        known = images_of.cached(files[0], part.images, self.on_bad_image, cache, Contained(part.places, now, self.unwrap()))
        return None if known is None else self._placed(known, part, found)

    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        files, now = self._now()
        found = recall_listing(cache, (self.name, now, None), files)
        if found is None:
            found = self.listing(files)
            keep_listing(cache, (self.name, now, None), found)
        part = self._part(found)
        source = Contained(part.places, now, self.unwrap())
        read = images_of.scan(files[0], part.images, self.on_bad_image, cache, progress, source)
        manifest = self._placed(read, part, found)
        keep_manifest(cache, (self.name, now, self.identity()), manifest)
        return manifest

    def build(self, manifest: AnyManifest) -> images_of.StoredImages:
        assert isinstance(manifest, Placed), type(manifest)
        return images_of.StoredImages(manifest, Contained(manifest.places, (), self.unwrap()))

    def _now(self) -> tuple[tuple[Path, ...], tuple[State, ...]]:
        if missing := self.missing():
            raise ValueError(str(missing))
        files = self.files()
        return files, tuple(map(state, files))

    def _part(self, listing: Listing) -> Listing:
        rows = self.chosen(listing)
        if not len(rows):
            raise ValueError(f"{listing.places.files[0]}: none of its {len(listing.keys)} images fits the dataset's settings")
        return listing if len(rows) == len(listing.keys) else listing.subset(rows)

    def _placed(self, manifest: Manifest, part: Listing, whole: Listing) -> Placed:
        rows = [row for row, key in enumerate(part.keys) if key not in manifest.skipped]
        return self.evaluated(Placed.of(manifest, part.places.subset(rows)), whole)


class SubjectsConfig(ContainerConfig):
    """A container dataset with subject labels."""

    min_images: PositiveInt = 1  # minimum number of images per subject, not counting images left out by a skip policy
    subjects: PositiveInt | None = None  # maximum number of subjects, in file order
    share: Annotated[float, Field(gt=0, le=1)] = 1.0  # fraction of each subject's images, for data-size ablations

    def least_images(self) -> int:
        return share_of(self.min_images, self.share)

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        return names_in(self.namespace, identities)

    def whole(self) -> bool:
        """Whether the settings select all images."""
        return self.min_images <= 1 and self.subjects is None and self.share == 1.0

    def chosen(self, listing: Listing) -> Sequence[int]:
        if self.whole():
            return range(len(listing.keys))
        rows = list(enumerate(listing.identities))
        return [row for row, _ in choose(rows, self.min_images, self.subjects, share=self.share)]

    def evaluated(self, manifest: Placed, listing: Listing) -> Placed:
        return enough(manifest, self.least_images())


class Contained:
    """Container images as the source of a scan."""

    def __init__(self, places: ByteRanges, now: tuple[State, ...], unwrap: Unwrap) -> None:
        self.places = places
        self.fetcher = Fetcher(places.files)
        self._states = [state[1:] for state in now]
        self._unwrap = unwrap

    def stamps(self, images: images_of.Images) -> list[images_of.Stamp]:
        """Key and file state (of the container) of each image."""
        assert len(images) == len(self.places)
        return [(key, *self._states[file]) for (key, _), file in zip(images, self.places.file.tolist(), strict=True)]

    def read(self, row: int, key: str) -> bytes:
        """The bytes of the image. A damaged container is an error, not a bad image: nothing after the damage can be trusted."""
        places = self.places
        data = self.fetcher.read(int(places.file[row]), int(places.offset[row]), int(places.length[row]))
        try:
            return self._unwrap(data, int(places.coding[row]))
        except ValueError as error:
            raise ValueError(f"{self.name(row, key)}: {error}") from error

    def name(self, row: int, key: str) -> str:
        return f"{self.places.name(row)} ({key})"

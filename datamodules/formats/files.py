"""Datasets that are folders of image files: one folder per subject."""

from __future__ import annotations

import hashlib
import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from pydantic import PositiveInt

from configs.interfaces import DatasetConfig, Progress
from configs.interfaces import Manifest as AnyManifest
from datamodules.image_index import cached, scan
from datamodules.images import decode
from datamodules.manifest import Manifest

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
UNREAD = (".gif", ".tif", ".tiff", ".jfif", ".jpe", ".jp2", ".heic", ".heif", ".avif", ".pgm", ".tga")  # images, but left out

Images = list[tuple[str, str]]  # (key, identity)


class FilesConfig(DatasetConfig):
    """A dataset whose images are files below one folder; a subclass says which."""

    depth: ClassVar[int | None] = None  # folders and file of each key, where all keys have as many: 2 is identity/image
    min_images: PositiveInt = 1  # subjects with at least so many images; those that a skip policy leaves out do not count

    @abstractmethod
    def folder(self) -> Path:
        """The folder that keys are relative to."""

    @abstractmethod
    def images(self) -> Images:
        """The files that belong to the dataset, in order, before any is read.

        Raises:
            ValueError: something needed is missing, or a list is wrong.
        """

    def unread(self) -> list[str]:
        """Images below the folder whose kind is none of ``SUFFIXES``, sorted: they are in no dataset."""
        found = [
            (Path(place) / name).relative_to(self.folder()).as_posix()
            for place, _, names in os.walk(self.folder())
            for name in names
            if name.lower().endswith(UNREAD) and not name.startswith(".")
        ]
        return sorted(found)

    def misplaced(self) -> list[str]:
        """Images below the folder that are not as deep as this dataset's images, sorted: they are in no dataset."""
        if self.depth is None:
            return []
        return sorted(_misplaced(self.folder(), "", self.depth, set()))

    def left_out(self) -> dict[str, str]:
        found = {}
        if unread := self.unread():
            found["unread"] = f"{_such(unread)}, of formats other than {', '.join(suffix[1:] for suffix in SUFFIXES)}"
        if misplaced := self.misplaced():
            found["misplaced"] = (
                f"{_such(misplaced)}, in other places than {'<identity>/<image>' if self.depth == 2 else '<image>'}"
            )
        return found

    def manifest(self, cache: Path) -> Manifest | None:
        found = cached(self.folder(), self.images(), self.on_bad_image, cache)
        return None if found is None else self._enough(found)

    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        return self._enough(scan(self.folder(), self.images(), self.on_bad_image, cache, progress))

    def build(self, manifest: AnyManifest) -> FileDataset:
        assert isinstance(manifest, Manifest)
        return FileDataset(self.folder(), manifest)

    def _enough(self, manifest: Manifest) -> Manifest:
        counts = Counter(manifest.identities)
        if not manifest.skipped or min(counts.values(), default=0) >= self.min_images:
            return manifest
        return manifest.subset(row for row, who in enumerate(manifest.identities) if counts[who] >= self.min_images)


class FileDataset:
    """Images read from their files when asked for; row i is row i of the manifest."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def __len__(self) -> int:
        return len(self.manifest)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (height, width, 3); errors as ``data``."""
        return decode(self.data(index), str(self.folder / self.manifest.keys[index]))

    def data(self, index: int) -> bytes:
        """The bytes of the image's file, as they are.

        Raises:
            ValueError: the file is gone, or is not the one that was scanned.
        """
        path = self.folder / self.manifest.keys[index]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != self.manifest.digests[index]:
            raise ValueError(f"{path}: the file changed after it was scanned; plan the grid again")
        return data


def subject_folders(folder: Path) -> Images:
    """The images of ``folder/<subject>/<image>``, subjects and images sorted by name; hidden files are left out."""
    found: Images = []
    for subject in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")):
        names = (entry.name for entry in os.scandir(folder / subject))
        found += [
            (f"{subject}/{name}", subject)
            for name in sorted(names)
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return found


def _such(keys: Sequence[str]) -> str:
    return f"{len(keys)} images such as {keys[0]}" if len(keys) > 1 else f"the image {keys[0]}"


def _misplaced(folder: Path, prefix: str, depth: int, above: set[str]) -> Iterator[str]:
    """Keys of images with fewer or more than ``depth`` parts, behind links too; ``above`` are the folders that lead here."""
    if (real := os.path.realpath(folder)) in above:
        return
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:  # the folder may not be read
        return
    for entry in entries:
        if os.path.isdir(entry):  # entry.is_dir() would raise for a loop of symbolic links
            yield from _misplaced(folder / entry.name, f"{prefix}{entry.name}/", depth - 1, above | {real})
        elif depth != 1 and entry.name.lower().endswith(SUFFIXES):
            yield prefix + entry.name


Key = TypeVar("Key")


def choose(
    images: Sequence[tuple[Key, str]],
    min_images: int = 1,
    subjects: int | None = None,
    exclude: Iterable[str] = (),
    share: float = 1.0,
) -> list[tuple[Key, str]]:
    """The images of subjects who have enough and are not excluded; of these subjects, the first so many.

    Args:
        images: (key, identity), in order; a key is anything that names an image
        min_images: a subject with fewer is left out
        subjects: how many subjects to take at most, in the order of ``images``; None takes all
        exclude: identities to leave out
        share: of each subject's images; the first ones in the order of ``images``, and one at least
    """
    counts = Counter(who for _, who in images)
    out = set(exclude)
    able = [who for who, count in counts.items() if count >= min_images and who not in out][:subjects]
    chosen = set(able)
    taken: Counter[str] = Counter()
    found = []
    for key, who in images:
        if who in chosen and taken[who] < max(1, round(share * counts[who])):
            taken[who] += 1
            found.append((key, who))
    return found

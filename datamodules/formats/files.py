"""Datasets of image files in folders, such as one folder per subject."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

from pydantic import PositiveInt, model_validator

from configs.contract import broken, naming
from configs.data_interfaces import DatasetConfig, Progress
from configs.data_interfaces import Manifest as AnyManifest
from datamodules.image_index import Folder, StoredImages, cached, scan
from datamodules.list_readers.subject_names import names_in
from datamodules.manifest import Manifest, enough

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm")
UNREAD = (".gif", ".tif", ".tiff", ".jfif", ".jpe", ".jp2", ".heic", ".heif", ".avif", ".pgm", ".tga")  # not supported

Images = list[tuple[str, str]]  # (key, identity)


class FilesConfig(DatasetConfig):
    """A dataset of image files below one folder; a subclass chooses the files."""

    depth: ClassVar[int | None] = None  # number of path parts of each key, if the same for all: 2 is identity/image
    min_images: PositiveInt = 1  # minimum number of images per subject, not counting images left out by a skip policy

    @model_validator(mode="after")
    def _one_image_without_subjects(self) -> Self:
        if not self.identified and self.min_images != 1:
            raise ValueError(f"min_images: {self.name} names no subjects, so each has one image")
        return self

    def folder(self) -> Path:
        """The root folder of the keys; by default the field ``root``."""
        return self.root  # type: ignore[attr-defined]

    @abstractmethod
    def images(self) -> Images:
        """The dataset's files, in order, before any is read; asked only where nothing is ``missing``.

        Raises:
            ValueError: a list or a file name is invalid.
        """

    def least_images(self) -> int:
        return self.min_images

    def names(self, identities: Iterable[str]) -> Mapping[str, str]:
        return names_in(self.namespace, identities)

    def unread(self) -> list[str]:
        """Image files below the folder in formats other than ``SUFFIXES``, sorted; no dataset uses them."""
        return sorted(
            (Path(place) / name).relative_to(self.folder()).as_posix()
            for place, _, names in os.walk(self.folder())
            for name in names
            if name.lower().endswith(UNREAD) and not name.startswith(".")
        )

    def misplaced(self) -> list[str]:
        """Image files below the folder at a depth that this dataset does not use, sorted."""
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
        found = cached(self.folder(), self._listed(), self.on_bad_image, cache)
        return None if found is None else enough(found, self.least_images())

    def scan(self, cache: Path, progress: Progress | None = None) -> Manifest:
        return enough(scan(self.folder(), self._listed(), self.on_bad_image, cache, progress), self.least_images())

    def _listed(self) -> Images:
        """``images()``, after checking it.

        Raises:
            ValueError: the folder or a list is missing.
            ContractError: it is no list of (key, identity), both text.
        """
        if missing := self.missing():
            raise ValueError(str(missing))
        with naming("dataset", self.name):
            found = self.images()
            expected = "a list of (key, identity): an image's path below the folder, and its subject"
            if not isinstance(found, (list, tuple)):
                raise broken("images returned", found, expected, "dataset")
            for number, row in enumerate(found):
                if type(row) is not tuple or len(row) != 2 or type(row[0]) is not str or type(row[1]) is not str:
                    raise broken(f"images returned as item {number}", row, expected, "dataset")
            return list(found)

    def build(self, manifest: AnyManifest) -> StoredImages:
        assert isinstance(manifest, Manifest)
        return StoredImages(manifest, Folder(self.folder()))


def subject_folders(folder: Path) -> Images:
    """The images ``folder/<subject>/<image>``, sorted by subject and image; hidden files are ignored."""
    return [
        (f"{who}/{name}", who) for who in subjects_in(folder) for name in sorted(os.listdir(folder / who)) if is_image(name)
    ]


def subjects_in(folder: Path) -> list[str]:
    """The names of the folders in ``folder``, sorted; hidden ones are ignored."""
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def is_image(name: str) -> bool:
    """Whether a file of that name is read; hidden files are not."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _such(keys: Sequence[str]) -> str:
    return f"{len(keys)} images such as {keys[0]}" if len(keys) > 1 else f"the image {keys[0]}"


def _misplaced(folder: Path, prefix: str, depth: int, above: set[str]) -> Iterator[str]:
    """Keys of images whose number of parts is not ``depth``, following links; ``above``: parent folders, to detect loops."""
    if (real := os.path.realpath(folder)) in above:
        return
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:  # no permission to read the folder
        return
    for entry in entries:
        if os.path.isdir(entry):  # entry.is_dir() raises for a loop of symbolic links
            yield from _misplaced(folder / entry.name, f"{prefix}{entry.name}/", depth - 1, above | {real})
        elif depth != 1 and entry.name.lower().endswith(SUFFIXES):
            yield prefix + entry.name


Key = TypeVar("Key")


def share_of(images: int, share: float) -> int:
    """A fraction of a number of images, rounded; at least one."""
    return max(1, round(share * images))


def choose(
    images: Sequence[tuple[Key, str]],
    min_images: int = 1,
    subjects: int | None = None,
    exclude: Iterable[str] = (),
    share: float = 1.0,
) -> list[tuple[Key, str]]:
    """Selects the first ``subjects`` subjects that have enough images and are not excluded, with their images.

    Args:
        images: (key, identity), in order; a key is any identifier of an image
        min_images: subjects with fewer images are left out
        subjects: maximum number of subjects, in the order of ``images``; None: all
        exclude: identities to leave out
        share: fraction of each subject's images to take: the first ones in the order of ``images``, at least one

    Raises:
        ContractError: an item of ``images`` is no (key, identity).
    """
    for row in images:
        if not isinstance(row, tuple) or len(row) != 2:
            raise broken("choose was given", row, "(key, identity) for each image", "dataset")
    counts = Counter(who for _, who in images)
    out = set(exclude)
    able = [who for who, count in counts.items() if count >= min_images and who not in out][:subjects]
    chosen = set(able)
    taken: Counter[str] = Counter()
    found = []
    for key, who in images:
        if who in chosen and taken[who] < share_of(counts[who], share):
            taken[who] += 1
            found.append((key, who))
    return found

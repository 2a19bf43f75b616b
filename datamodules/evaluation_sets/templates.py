"""Templates, and the pairs, galleries and groups that are evaluated.

A template is a set of images of one subject. Each image belongs to a medium (a still image or a video), whose images are
averaged first. All arrays are read-only; arrays of the right type are not copied.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

UNKNOWN = -1  # label of a template of unknown subject


_KINDS = {np.bool_: "b", np.int32: "iu", np.int64: "iu", np.float32: "fiu"}  # dtype -> dtype kinds that may be converted to it


def _fixed(owner: object, name: str, kind: type) -> np.ndarray:
    """Converts a field to a read-only array (n,) of ``kind``."""
    object.__setattr__(owner, name, array := _read_only(name, getattr(owner, name), kind))
    return array


def _read_only(name: str, values: Any, kind: type) -> np.ndarray:
    given = np.asarray(values)
    if given.ndim != 1 or (given.size and given.dtype.kind not in _KINDS[kind]):
        raise ValueError(f"{name}: expected a list of {kind.__name__}, found {given.dtype} of shape {given.shape}")
    if given.size and kind is np.int32 and given.dtype != kind:
        limits = np.iinfo(np.int32)
        if given.min() < limits.min or given.max() > limits.max:
            raise ValueError(f"{name}: numbers from {given.min()} to {given.max()} do not fit 32 bits")
    array: np.ndarray = np.ascontiguousarray(given, dtype=kind).view()
    array.flags.writeable = False
    return array


def _inside(name: str, array: np.ndarray, low: int, count: int, of: str) -> None:
    if array.size and (array.min() < low or array.max() >= count):
        bad = int(np.flatnonzero((array < low) | (array >= count))[0])
        raise ValueError(f"{name}[{bad}] is {array[bad]}, but there are {count} {of}")


def _digest(*parts: np.ndarray | str) -> str:
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            total.update(part.encode())
            continue
        ordered = part.astype(part.dtype.newbyteorder("<"), copy=False)
        total.update(f"{ordered.dtype.str}{ordered.shape}".encode())
        total.update(ordered.data)
    return total.hexdigest()


@dataclass(frozen=True, eq=False)
class Templates:
    """Assignment of M images to T templates.

    Attributes:
        rows: int64 (M,), row of the manifest; a row may occur in several templates
        media: int64 (M,), the image's medium; images of the same template and medium are averaged first
        template: int64 (M,), from 0 to T - 1; no template is empty
        labels: int64 (T,), the subject; -1 if unknown
        numbers: int64 (T,), template number in the protocol's lists
        weights: float32 (M,), weight of each image in the average; 1 without weighting

    Raises:
        ValueError: lengths differ, an index is out of range, a template is empty, or a weight is negative or not a number.
    """

    rows: np.ndarray
    media: np.ndarray
    template: np.ndarray
    labels: np.ndarray
    numbers: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        images = [_fixed(self, name, np.int64) for name in ("rows", "media", "template")]
        images.append(_fixed(self, "weights", np.float32))
        templates = [_fixed(self, name, np.int64) for name in ("labels", "numbers")]
        for group in (images, templates):
            if len({len(array) for array in group}) > 1:
                raise ValueError(f"templates: columns of one kind have different lengths, {[len(array) for array in group]}")
        _inside("rows", self.rows, 0, np.iinfo(np.int64).max, "rows")
        _inside("template", self.template, 0, len(self), "templates")
        _inside("labels", self.labels, UNKNOWN, np.iinfo(np.int64).max, "subjects")
        counts = np.bincount(self.template, minlength=len(self))
        if len(counts) and not counts.all():
            raise ValueError(
                f"template {self.numbers[int(np.argmin(counts))]} has no image ({int((counts == 0).sum())} have none)"
            )
        if not (np.isfinite(self.weights) & (self.weights >= 0)).all():
            raise ValueError("weights: expected numbers from 0 on")

    @classmethod
    def of(
        cls,
        rows: np.ndarray,
        media: np.ndarray,
        numbers: np.ndarray,
        subjects: dict[int, int] | None = None,
        weights: np.ndarray | None = None,
    ) -> Templates:
        """Templates ordered by number.

        Args:
            rows: (M,) row of the manifest
            media: (M,)
            numbers: (M,) number of the image's template in the lists
            subjects: template number -> label; None: unknown
            weights: (M,); None: equal weights
        """
        named, template = np.unique(np.asarray(numbers, np.int64), return_inverse=True)
        known = subjects or {}
        labels = np.fromiter((known.get(number, UNKNOWN) for number in named.tolist()), np.int64, len(named))
        return cls(rows, media, template, labels, named, np.ones(len(template), np.float32) if weights is None else weights)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of all arrays."""
        return _digest("templates", self.rows, self.media, self.template, self.labels, self.numbers, self.weights)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Pairs of templates.

    Attributes:
        templates: T templates
        left: int32 (P,), from 0 to T - 1
        right: int32 (P,)
        same: bool (P,), True for a genuine pair

    Raises:
        ValueError: lengths differ, there is no pair, or an index is out of range.
    """

    templates: Templates
    left: np.ndarray
    right: np.ndarray
    same: np.ndarray

    def __post_init__(self) -> None:
        arrays = [_fixed(self, "left", np.int32), _fixed(self, "right", np.int32), _fixed(self, "same", np.bool_)]
        if len({len(array) for array in arrays}) > 1 or not len(self):
            raise ValueError(f"comparisons are three arrays of one length above 0, found {[len(array) for array in arrays]}")
        for name in ("left", "right"):
            _inside(name, getattr(self, name), 0, len(self.templates), "templates")

    def __len__(self) -> int:
        return len(self.left)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the templates and the three arrays."""
        return _digest("comparisons", self.templates.digest, self.left, self.right, self.same)


@dataclass(frozen=True, eq=False)
class Identification:
    """Probes to identify in galleries; the subject of a template is its label.

    Attributes:
        templates: T templates, with labels
        probes: int32 (Q,), from 0 to T - 1; a probe is mated in a gallery with a template of its label
        galleries: one or two arrays, int32 (G,); at most one template per subject in a gallery

    Raises:
        ValueError: something is empty or out of range, a label is unknown, a subject is in one gallery twice, or a template is
            both probe and gallery.
    """

    templates: Templates
    probes: np.ndarray
    galleries: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.galleries) <= 2:
            raise ValueError(f"there are {len(self.galleries)} galleries; one or two are needed")
        held = [_read_only("indices", gallery, np.int32) for gallery in self.galleries]
        object.__setattr__(self, "galleries", tuple(held))
        probes = _fixed(self, "probes", np.int32)
        for name, indices in [("probes", probes), *((f"gallery {place}", one) for place, one in enumerate(held, 1))]:
            if not len(indices):
                raise ValueError(f"{name}: empty")
            _inside(name, indices, 0, len(self.templates), "templates")
            labels = self.templates.labels[indices]
            if (labels == UNKNOWN).any():
                number = self.templates.numbers[indices[int(np.argmax(labels == UNKNOWN))]]
                raise ValueError(f"{name}: the subject of template {number} is unknown")
            if indices is not probes and len(np.unique(labels)) < len(labels):
                twice = np.unique(labels)[np.unique(labels, return_counts=True)[1] > 1]
                raise ValueError(f"{name}: subject {twice[0]} is in it more than once ({len(twice)} are)")
        if len(both := np.intersect1d(probes, np.concatenate(held))):
            raise ValueError(f"template {self.templates.numbers[both[0]]} is both probe and gallery ({len(both)} are)")

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the templates, the probes and the galleries."""
        return _digest("identification", self.templates.digest, self.probes, *self.galleries)


@dataclass(frozen=True, eq=False)
class Clustering:
    """Images to cluster by subject.

    Attributes:
        rows: int64 (M,), row of the manifest, without duplicates
        labels: int64 (M,), the subject, from 0

    Raises:
        ValueError: lengths differ, there are fewer than two images, or a row occurs twice.
    """

    rows: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        rows, labels = _fixed(self, "rows", np.int64), _fixed(self, "labels", np.int64)
        if len(rows) != len(labels) or len(rows) < 2:
            raise ValueError(f"clustering needs two images or more and a label for each, found {len(rows)} and {len(labels)}")
        for name, array in (("rows", rows), ("labels", labels)):
            _inside(name, array, 0, np.iinfo(np.int64).max, name)
        if len(np.unique(rows)) < len(rows):
            raise ValueError("clustering names an image twice")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of both arrays."""
        return _digest("clustering", self.rows, self.labels)

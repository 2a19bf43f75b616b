"""Images and masks of drawn subjects, and the ground-truth regions in which two of them differ."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

import numpy as np

from configs.data_interfaces import Manifest
from datamodules.synthetic_faces import drawing
from datamodules.synthetic_faces.features import PARTS
from datamodules.synthetic_faces.population import look_alike, subject
from datamodules.synthetic_faces.shot import shot

Occluder = Literal["none", "mask", "sunglasses"]
REGIONS = {"eyes": ("left eye", "right eye")}  # names for several parts together


def identity(number: int, part: str | None = None) -> str:
    """The identity of a subject, or of its look-alike that differs in ``part``."""
    return f"person-{number:05d}" + (f"-{part}" if part else "")


def key(name: str, index: int, occluder: Occluder = "none") -> str:
    return f"{name}/shot-{index:03d}" + ("" if occluder == "none" else f"-{occluder}")


class Sample(NamedTuple):
    """The parameters of one image, beside those of the whole dataset."""

    number: int  # of the subject, or of a look-alike's base subject
    part: str | None  # the part in which a look-alike differs from its base subject
    shot: int
    occluder: Occluder = "none"

    @property
    def identity(self) -> str:
        return identity(self.number, self.part)

    @property
    def key(self) -> str:
        return key(self.identity, self.shot, self.occluder)


class Drawn(Protocol):
    """The parameters of a dataset of drawn faces, as in its config."""

    @property
    def seed(self) -> int: ...  # of the population
    @property
    def size(self) -> int: ...  # pixels
    @property
    def variation(self) -> float: ...  # between shots
    def people(self) -> list[tuple[int, str | None]]: ...
    def samples(self) -> list[Sample]: ...


class DrawnFaces:
    """The images of a dataset's manifest or a subset of it, drawn on demand."""

    parts = PARTS

    def __init__(self, config: Drawn, manifest: Manifest) -> None:
        self.config = config
        self.manifest = manifest
        unknown = sorted(set(manifest.identities) - {identity(*each) for each in config.people()})
        if unknown:
            raise ValueError(f"the manifest is not of this drawn dataset: it names {unknown[0]!r}")
        known = {each.key: each for each in config.samples()}
        self._shown = [known[each] for each in manifest.keys]
        self._drawn = lru_cache(maxsize=2)(self._draw)  # image and mask are often requested together

    def __reduce__(self) -> tuple[type[DrawnFaces], tuple[Drawn, Manifest]]:
        """For processes that get the dataset, such as a loader's: the cache of drawings stays here."""
        return type(self), (self.config, self.manifest)

    def __len__(self) -> int:
        return len(self.manifest.keys)

    def image(self, index: int) -> np.ndarray:
        """RGB, uint8, (size, size, 3)."""
        return self._drawn(index).image.copy()

    def mask(self, index: int) -> np.ndarray:
        """The part shown by each pixel: index into ``parts``, uint8, (size, size)."""
        return self._drawn(index).mask.copy()

    def region(self, index: int, name: str) -> np.ndarray:
        """The region of a part: bool (size, size). ``name`` is one of ``parts``, or "eyes" for both.

        Raises:
            ValueError: there is no such part.
        """
        if name not in REGIONS and name not in PARTS:
            raise ValueError(f"no part {name!r} (known: {', '.join((*PARTS, *REGIONS))})")
        return np.isin(self._drawn(index).mask, _labels(name))

    def face(self, index: int) -> np.ndarray:
        """The face with hair and ears: bool (size, size); everything but background, clothes and neck."""
        return ~np.isin(self._drawn(index).mask, _labels("background") + _labels("clothes") + _labels("neck"))

    def differing(self, row: int, other: int) -> np.ndarray | None:
        """Ground truth of where image ``row`` differs from image ``other``: bool (size, size); None if unknown.

        The two may be different shots. Known pairs are a subject and a look-alike (or two look-alikes of one subject), and a
        subject with and without an occluder. The region contains the pixels of shot ``row`` that would change if it showed what
        ``other`` shows: the part as seen in ``row`` and as the other subject's would appear there. If only ``other`` has an
        occluder, the region is what that occluder would hide in ``row``.
        """
        here, there = self._shown[row], self._shown[other]
        parts = [part for part in (here.part, there.part) if part] if here.part != there.part else []
        labels = [label for part in parts for label in _labels(part)]
        if here.occluder != there.occluder:
            labels.append(PARTS.index("occluder"))
        if here.number != there.number or not labels:
            return None
        as_other = self._drawing(here._replace(part=there.part, occluder=there.occluder))
        return np.isin(self._drawn(row).mask, labels) | np.isin(as_other.mask, labels)

    def _draw(self, index: int) -> drawing.Drawing:
        return self._drawing(self._shown[index])

    def _drawing(self, shown: Sample) -> drawing.Drawing:
        seed, size = self.config.seed, self.config.size
        taken = shot(seed, shown.number, shown.shot, self.config.variation)
        person = subject(seed, shown.number)
        found = drawing.draw(person, taken, size)
        if shown.part is not None:
            person = look_alike(seed, shown.number, shown.part)
            found = drawing.transplanted(found, drawing.draw(person, taken, size), _labels(shown.part))
        if shown.occluder != "none":
            worn = drawing.draw(person, taken, size, shown.occluder)
            found = drawing.transplanted(found, worn, _labels("occluder"))
        return found


def _labels(name: str) -> list[int]:
    return [PARTS.index(part) for part in REGIONS.get(name, (name,))]

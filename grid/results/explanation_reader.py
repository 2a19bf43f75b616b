"""Reads the output of an explain stage for drawing: the probes, their crops, and every raw map of one cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from grid.ledger.ledger import Ledger, Marker
from grid.results import heatmap
from grid.results.heatmap import Scale

Column = tuple[str, int | None, str | None]  # key, pair, side: an image may occur in several pairs
SIDES = ("left", "right")
PEOPLE = 30  # minimum number of subjects for an anonymous mean face
MODES = ("mode", "sign", "masking", "subtract", "baseline")  # fields of explainers shown in captions


@dataclass(frozen=True)
class Explained:
    """One explainer's results for one cell. Large arrays are read on first access.

    Attributes:
        title: of the explainer, as in the grid file.
        manifest: as written by ``grid.stages.explain``.
        faces: False: no face images are shown.
    """

    ledger: Ledger
    marker: Marker
    title: str
    manifest: Mapping[str, Any]
    faces: bool = True

    @property
    def refused(self) -> str | None:
        """Why there are no maps: the machine-readable code, and the reason."""
        found = self.manifest.get("refused")
        return None if found is None else _reason(found)

    @property
    def images(self) -> list[dict[str, Any]]:
        return list(self.manifest.get("images", ()))

    @property
    def paired(self) -> bool:
        """Whether the images are those of pairs, left and right alternating."""
        return any("pair" in image for image in self.images)

    @property
    def names(self) -> list[str]:
        """The names of its maps; [""] if it has one unnamed map."""
        if self.refused is not None or "maps.npy" not in self.marker.outputs:
            return []
        return [str(one["name"]) for one in self.manifest.get("maps", ())] or [""]

    @cached_property
    def places(self) -> dict[Column, int]:
        """The index of each image."""
        return {column(image): place for place, image in enumerate(self.images)}

    def crops(self) -> np.ndarray:
        """(N, H, W, 3) uint8; without ``faces``, each is the mean of all crops, or gray if that mean would not be anonymous."""
        found = self._array("images.npy")
        return found if self.faces else self._nobody(found)

    def _array(self, file: str) -> np.ndarray:
        return np.asarray(np.load(self.ledger.path(self.marker, file), allow_pickle=False))

    def _nobody(self, crops: np.ndarray) -> np.ndarray:
        people: dict[str | None, list[int]] = {}
        for place, image in enumerate(self.images):
            people.setdefault(image.get("identity"), []).append(place)
        if len(people) < PEOPLE or None in people:
            return np.full_like(crops, heatmap.PAPER)
        means = [crops[places].mean(axis=0, dtype=np.float64) for places in people.values()]  # someone may be in many pairs
        return np.broadcast_to(np.rint(np.mean(means, axis=0)).astype(np.uint8), crops.shape)

    @property
    def painted(self) -> bool:
        """Whether the method generates images; its maps then do not refer to the probe images."""
        return "generated.npy" in self.marker.outputs

    def shown(self) -> np.ndarray:
        """(N, H, W, 3) uint8: the background for maps: the method's generated images or else the crops."""
        if not self.painted:
            return self.crops()
        return heatmap.from_unit(self._array("generated.npy"))

    def maps(self, name: str) -> np.ndarray:
        """(N, h, w) float32, raw."""
        return self._array(next((str(one["file"]) for one in self.manifest.get("maps", ()) if one["name"] == name), "maps.npy"))

    def scale(self, name: str, maps: np.ndarray) -> Scale:
        """One scale for all maps of that name, including those that a sheet omits."""
        said = next((one.get("signed") for one in self.manifest.get("maps", ()) if one["name"] == name), None)
        return Scale.of(maps, bool(maps.min(initial=0.0) < 0) if said is None else bool(said))

    @property
    def refused_pairs(self) -> dict[int, str]:
        """Pairs that the method does not apply to, and why; their maps are meaningless."""
        notes = self.manifest.get("notes") or {}
        return {int(one["pair"]): _reason(one) for one in notes.get("refused_pairs", ())}

    @property
    def lines(self) -> str:
        """``words``, one per line."""
        return self.words.replace("; ", "\n")

    @property
    def words(self) -> str:
        """For captions: method, mode, target and layer, and what the method could not do."""
        config, notes = self.manifest.get("config") or {}, self.manifest.get("notes") or {}
        method = str(self.manifest.get("method", self.title))
        said = [
            method if method != self.title else "",
            *(f"{key} {chose}" for key in MODES if (chose := config.get(key) or notes.get(key))),
        ]
        said.append(str(self.manifest.get("target") or ""))
        said.append(f"layer {self.manifest['layer']}" if self.manifest.get("layer") else "")
        said.append(f"not normalized: {notes['unnormalized']}" if notes.get("unnormalized") else "")
        said.append("an image of the method's own, no map of the image" if self.painted else "")
        said.append("" if self.faces else "no face of the data is shown")
        codes = Counter(str(one.get("code", "")) for one in notes.get("refused_pairs", ()))
        said += [f"pairs refused: {count} ({code})" for code, count in codes.items()]
        return "; ".join(text for text in said if text)


def read(ledger: Ledger, title: str, marker: Marker, faces: bool = True) -> Explained:
    """Reads a finished explanation, called ``title`` in the grid file; for ``faces`` see ``Explained``.

    Raises:
        Damaged: the manifest differs from the marker; ``crops`` and ``maps`` raise it for their files.
    """
    return Explained(ledger, marker, title, ledger.json(marker, "manifest.json"), faces)


def _reason(refused: Mapping[str, Any]) -> str:
    return ": ".join(str(refused[key]) for key in ("code", "reason") if refused.get(key))


def column(image: Mapping[str, Any]) -> Column:
    return image["key"], image.get("pair"), image.get("side")


def columns(works: Iterable[Explained]) -> dict[Column, dict[str, Any]]:
    """Every image of some explanations once, in the order of their first appearance."""
    found: dict[Column, dict[str, Any]] = {}
    for one in works:
        for image in one.images:
            found.setdefault(column(image), image)
    return found


def plain(name: str) -> str:
    """A map's name for places where a plus sign has another meaning, such as the file names of MLflow's image grid."""
    return f"{name[:-1]} plus" if name.endswith("+") else f"{name[:-1]} minus" if name.endswith("-") else name

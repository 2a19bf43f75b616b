"""The background study of a trained network: confidence with and without background, background features, and their mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from configs.lookup import nearest
from grid.spec.training import Training
from grid.stages.class_scores import feature_maps, probabilities, true_classes
from grid.stages.context import Context, Faces, faces_of
from grid.stages.face_regions import Source, face_regions
from grid.stages.held_out import studied
from grid.stages.latent_pictures import TileRow, tiles_png
from grid.stages.probes import hashed
from grid.stages.train import load_network
from modules.latent.background_features import Selection, background_features
from modules.latent.confidence import change
from modules.latent.image_regions import filled
from modules.metrics import cluster_bootstrap
from modules.network import Network

VIEWS = ("whole", "face", "background")


@dataclass(eq=False)
class BackgroundStudy:
    """Attributes:
    rows: int64 (N,), rows of the dataset
    regions: bool (N, H, W), the face
    source: of the regions
    labels: class of each of the N images by target, -1 if unknown
    subjects: (N,)
    choosing: bool (N,), the stratum on which features are chosen
    strata: names of the choosing and of the testing stratum
    about: details for ``background.json``
    """

    network: Network
    settings: Any
    device: str
    faces: Faces
    rows: np.ndarray
    regions: np.ndarray
    source: Source
    labels: dict[str, np.ndarray]
    subjects: np.ndarray
    choosing: np.ndarray
    strata: tuple[str, str]
    about: dict[str, Any]

    @classmethod
    def of(cls, context: Context, training: Training, settings: Any) -> BackgroundStudy:
        """Loads the network and cuts the faces of at most ``settings.most`` held-out images.

        Raises:
            ValueError: the network has no classifier, or the stratum or the source of regions is not available.
        """
        faces = faces_of(context, training.data, training.detector, training.input.pixels)
        network = load_network(context, training, context.inputs["train"].facts["classes"])
        classes = true_classes(faces, training, network)
        chosen = studied(faces, training, settings.most)
        keys = [faces.manifest.keys[row] for row in chosen.rows]
        regions, source = face_regions(context, training, keys, settings.face, settings.ellipse)
        cut = regions.any((1, 2)) & ~regions.all((1, 2))  # the other images have no face or no background
        rows, regions = chosen.rows[cut], regions[cut]
        who = faces.manifest.keys if context.fast else faces.identities  # a quick check has too few subjects
        subjects = np.array([who[row] for row in rows])
        choosing, strata = _strata(settings, training, faces, rows, subjects)
        labels = {name: values[rows] for name, values in classes.items()}
        about = {
            "face": source,
            "held_out": chosen.held_out,
            "images": len(rows),
            "without_face_or_background": int((~cut).sum()),
            "strata": dict(zip(strata, (int(choosing.sum()), int((~choosing).sum())), strict=True)),
            "face_share": float(regions.mean()),
        }
        return cls(network, settings, context.device, faces, rows, regions, source, labels, subjects, choosing, strata, about)

    @cached_property
    def crops(self) -> dict[str, np.ndarray]:
        """The images of each view, uint8 (N, H, W, 3)."""
        whole = np.stack([self.faces.crops[int(row)] for row in self.rows])
        fill = self.settings.fill
        return {"whole": whole, "face": filled(whole, ~self.regions, fill), "background": filled(whole, self.regions, fill)}

    @cached_property
    def features(self) -> dict[str, Tensor]:
        """Feature maps (N, C, h, w) of each view."""
        return {view: feature_maps(self.network, self.crops[view], self.device) for view in VIEWS}

    def scores(self, view: str, keep: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """Class probabilities (N, classes) by target; ``keep`` as in ``probabilities``."""
        return probabilities(self.network, self.features[view], tuple(self.labels), self.device, keep)

    @cached_property
    def whole(self) -> dict[str, np.ndarray]:
        """Class probabilities of the whole images."""
        return self.scores("whole")

    def result(self) -> dict[str, Any]:
        """The entries for tables; fills ``about``."""
        without, alone = self.scores("face"), self.scores("background")
        changes = {name: self._change(self.whole, without, name) for name in self.labels}
        keys = ("rises", "mean_rise", "mean_fall", "flips")
        found: dict[str, Any] = {key: {name: changes[name][key] for name in changes} for key in keys}
        found["background_alone"] = {name: self._change(self.whole, alone, name)["accuracy_after"] for name in self.labels}
        selection, confirmation = self._chosen(self.choosing), self._chosen(~self.choosing)
        chosen = int(selection.chosen.sum())
        both = int((selection.chosen & confirmation.chosen).sum())
        found["features"] = {
            "chosen": {"value": chosen},
            "null": {"value": selection.null_mean},
            "confirmed": {"value": both / chosen} if chosen else {"value": None, "reason": "none was chosen"},
        }
        masked = self.masked(selection.chosen)
        test = self.strata[1]
        none = {"value": None, "reason": "no feature was chosen"}
        found["masked"] = {name: masked[test][name]["mask"] if chosen else none for name in self.labels}
        found["randomly_masked"] = {name: masked[test][name]["random"] if chosen else none for name in self.labels}
        self.about |= {
            "without_background": changes,
            "features": {
                "of": len(selection.chosen),
                "chosen": np.flatnonzero(selection.chosen).tolist(),
                "chosen_on_the_other_stratum": np.flatnonzero(confirmation.chosen).tolist(),
                "null_mean": [selection.null_mean, confirmation.null_mean],
            },
            "masked": masked if chosen else {},
        }
        return found

    def masked(self, chosen: np.ndarray) -> dict[str, Any]:
        """The effect of setting the chosen features (C,) to zero, by stratum and target.

        ``mask`` is the change of the accuracy and ``confidence`` that of the confidence in the true class; ``random`` is the
        change of the accuracy for random masks of the same size, with the range of 95 % of them.
        """
        scores = self.scores("whole", ~chosen)
        generator = np.random.default_rng(self.settings.seed)
        others = [self.scores("whole", ~generator.permutation(chosen)) for _ in range(self.settings.random_masks)]
        found: dict[str, Any] = {}
        for stratum, inside in zip(self.strata, (self.choosing, ~self.choosing), strict=True):
            found[stratum] = {}
            for name, labels in self.labels.items():
                rows = np.flatnonzero(inside & (labels >= 0))
                before = self.whole[name][rows].argmax(1) == labels[rows]
                right = [one[name][rows].argmax(1) == labels[rows] for one in (scores, *others)]
                changes = [one.astype(np.float64) - before for one in right]
                found[stratum][name] = {
                    "mask": self._mean(changes[0], rows),
                    "confidence": self._mean(scores[name][rows, labels[rows]] - self.whole[name][rows, labels[rows]], rows),
                    "random": _range([one.mean() for one in changes[1:]]) if len(rows) else dict(cluster_bootstrap.NO_IMAGE),
                }
        return found

    def picture(self) -> bytes:
        """Whole images, faces and backgrounds with the confidence in the true class of the first target."""
        name, count = next(iter(self.labels)), min(self.settings.images, len(self.rows))
        labels, rows = self.labels[name][:count], np.arange(count)
        tiles = []
        for view in VIEWS:
            given = self.whole[name] if view == "whole" else self.scores(view)[name]
            confidence = given[rows, labels]
            captions = [f"{100 * value:.0f} %" if label >= 0 else "" for value, label in zip(confidence, labels, strict=True)]
            tiles.append(TileRow(view, self.crops[view][:count], captions))
        return tiles_png(tiles, f"Confidence in the true class ({name})")

    def _change(self, before: dict[str, np.ndarray], after: dict[str, np.ndarray], name: str) -> dict[str, Any]:
        rows = np.flatnonzero(self.labels[name] >= 0)
        known = before[name][rows], after[name][rows], self.labels[name][rows], self.subjects[rows]
        return change(*known, self.settings.resamples, self.settings.seed)

    def _chosen(self, inside: np.ndarray) -> Selection:
        full, alone = (self.features[view][inside].mean(dim=(2, 3)).double().numpy() for view in ("whole", "background"))
        numbers = {key: getattr(self.settings, key) for key in ("tau", "quantile", "permutations", "seed")}
        return background_features(full, alone, self.subjects[inside], **numbers)

    def _mean(self, values: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
        return cluster_bootstrap.mean(values, self.subjects[rows], self.settings.resamples, self.settings.seed)


def _range(drawn: Sequence[float]) -> dict[str, Any]:
    """The mean, and the range of 95 %."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": float(np.mean(drawn)), "low": float(low), "high": float(high)}


def _strata(
    settings: Any, training: Training, faces: Faces, rows: np.ndarray, subjects: np.ndarray
) -> tuple[np.ndarray, tuple[str, str]]:
    """(bool (N,), names): the stratum for choosing features, and the names of it and of the other one.

    Raises:
        ValueError: the column has no such class, or a stratum has fewer than three subjects.
    """
    if settings.stratum is None:
        order = sorted(set(subjects.tolist()), key=lambda who: hashed(who))
        choosing, names = np.isin(subjects, order[::2]), ("half 1", "half 2")
    else:
        column = training.data.columns(faces.manifest)[settings.stratum]
        if column.classes is None or settings.choose not in column.classes:
            known = nearest(settings.choose, column.classes) if column.classes else "; it is a column of numbers"
            raise ValueError(f"stage {settings.title}: {settings.stratum} has no class {settings.choose!r}{known}")
        choosing = column.values[rows] == column.classes.index(settings.choose)
        names = (settings.choose, f"not {settings.choose}")
    counts = [len(set(subjects[inside].tolist())) for inside in (choosing, ~choosing)]
    if min(counts) < 3:
        raise ValueError(
            f"stage {settings.title}: stratum {names[0]} has {counts[0]} subjects, and {counts[1]} are in the other; each "
            "needs three; choose another stratum, or hold out more images (split.fraction)"
        )
    return choosing, names

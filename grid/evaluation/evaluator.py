"""Input and output of an evaluator."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from configs.contract import broken, check_files, is_json
from configs.data_interfaces import Manifest, ProtocolConfig
from configs.lookup import nearest
from grid.spec.measure import Measure, check_values, measures_in
from grid.spec.training import IDENTITY, Target, Training

PAGE = "evaluation_task"  # of docs/extending


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions of a network for one of its targets, of U images.

    Attributes:
        target: the target's settings
        values: float64 (U, classes), probabilities; or (U,), numbers
        classes: that the network predicts; None if it predicts numbers
        trained: number of training images of each class
    """

    target: Target
    values: np.ndarray
    classes: tuple[str, ...] | None = None
    trained: tuple[int, ...] = ()

    def of(self, images: np.ndarray) -> Predicted:
        """The predictions of some of the images, a mask (U,) or places."""
        return replace(self, values=self.values[images])


@dataclass(frozen=True, eq=False)
class Embedded:
    """The embedded images of a protocol; U rows.

    Attributes:
        manifest: of the protocol's dataset
        rows: int64 (U,), ascending: the requested rows of the manifest whose face may be used
        vectors: float64 (U, D), not normalized; the sum over all views of an image
        folder: where the evaluator may write files
        predictions: for each target, by name; only for tasks with ``predicts``
        scores: of pairs, from the keys of their images and whether they are genuine, where they were computed elsewhere; then
            ``vectors`` are empty
        face: the crop, uint8 (H, W, 3), of the image at a place in ``rows``; None if the caller has no crops
    """

    manifest: Manifest
    rows: np.ndarray
    vectors: np.ndarray
    folder: Path
    predictions: Mapping[str, Predicted] = field(default_factory=dict)
    face: Callable[[int], np.ndarray] | None = None
    scores: Callable[[list[str], list[str], np.ndarray], np.ndarray] | None = None

    @cached_property
    def units(self) -> np.ndarray:
        """float64 (U, D), unit length.

        Raises:
            ValueError: an embedding has length zero or is not finite.
        """
        norms = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~np.isfinite(norms[:, 0]) | (norms[:, 0] == 0))
        if len(bad):
            key = self.manifest.keys[int(self.rows[bad[0]])]
            raise ValueError(
                f"the embedding of image {key} has no direction (norm {norms[bad[0], 0]}; {len(bad)} of {len(norms)} images): "
                "the network did not train"
            )
        return np.asarray(self.vectors / norms)

    def has(self, rows: np.ndarray) -> np.ndarray:
        """bool: which of these rows of the manifest are included."""
        return np.isin(rows, self.rows)

    def places(self, rows: np.ndarray) -> np.ndarray:
        """int64: the positions in ``rows`` of these rows of the manifest, all of which must be included."""
        found: np.ndarray = np.searchsorted(self.rows, rows)
        return found

    def keys(self, places: np.ndarray) -> list[str]:
        return [self.manifest.keys[row] for row in self.rows[places]]


@dataclass(frozen=True)
class EvaluationResult:
    """The results of a protocol.

    Attributes:
        metrics: a JSON value; tasks other than verification include their ``task``
        facts: the headline numbers; by default the values of the metrics at the top
        outputs: files in the folder to keep
    """

    metrics: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.facts == {} and isinstance(self.metrics, Mapping):
            at_top = {key: one["value"] for key, one in self.metrics.items() if isinstance(one, Mapping) and "value" in one}
            object.__setattr__(self, "facts", at_top)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as text; None is an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def check_result(found: Any, folder: Path) -> None:
    """Checks what a task's ``evaluate`` returned; ``folder`` is where it wrote its files.

    Raises:
        ContractError: it is no ``EvaluationResult``, its metrics or facts are no JSON values, or a file is missing.
    """
    if not isinstance(found, EvaluationResult):
        raise broken("evaluate returned", found, "an EvaluationResult of grid.evaluation.evaluator", PAGE)
    for name in ("metrics", "facts"):
        value = getattr(found, name)
        if not isinstance(value, Mapping) or not is_json(dict(value), finite=False):
            expected = "a dict of JSON values (convert numpy numbers by float())"
            raise broken(f"EvaluationResult.{name} is", value, expected, PAGE)
    check_values(found.metrics, "the value of the metric", "a number, or None", PAGE)
    check_files("EvaluationResult.outputs", found.outputs, folder, "scores.parquet", "evaluate wrote into seen.folder", PAGE)


def check_measures(measures: Iterable[Measure], metrics: Mapping[str, Any]) -> None:
    """Checks that tables have something to show of an ``EvaluationResult``.

    Raises:
        ContractError: a measure's key is not in the metrics, or no metric has a ``value``.
    """
    present = [measure.key for measure in measures_in([metrics])]
    if not present:
        raise broken("EvaluationResult.metrics is", metrics, "a metric such as {'rank_1': {'value': 0.5}}", PAGE)
    for measure in measures:
        if measure.key not in present:
            raise broken("measures returned the key", measure.key, f"one of the metrics: {', '.join(present)}", PAGE)


def evaluated_targets(protocol: ProtocolConfig, training: Training) -> list[str]:
    """The training's targets that a protocol of predictions evaluates: its ``targets``, or all except the identity.

    Raises:
        ValueError: there are none, or the training does not have one of them.
    """
    learned = sorted(name for name in training.targets if name != IDENTITY)
    if not learned:
        raise ValueError("it evaluates attributes, and the cell learns the identity only; set targets")
    wanted = list(getattr(protocol, "targets", ())) or learned
    if unknown := [name for name in wanted if name not in learned]:
        raise ValueError(f"the cell does not learn the target {unknown[0]!r}{nearest(unknown[0], learned)}")
    return wanted

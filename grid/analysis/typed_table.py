"""A table of results typed in from a publication, as evidence for claims."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grid.analysis.claim_verdicts import Evidence
from grid.results.columns import Column
from grid.spec.grid_file import BadInput
from grid.spec.levels import cell_title
from grid.spec.measure import CROSS_VALIDATED_TITLE
from modules.metrics.intervals import normal_variance
from modules.metrics.paired_tests import Estimate, student

PAIRS = ("genuine", "impostor")  # columns with numbers of pairs
OF_ONE_KIND = {"val": ("genuine",), "fnmr": ("genuine",), "fmr": ("impostor",)}  # metrics of one of them
ERRORS = ("eer", "fmr", "fnmr", "fte")  # lower is better
TITLES = {"best_threshold": "Accuracy, best threshold", "ten_fold": CROSS_VALIDATED_TITLE, "eer": "EER", "auc": "AUC"}
_HEAD = re.compile(r"(?P<key>[a-z0-9_:.\-]+)(?P<percent> \[%\])?(?P<end> low| high)?")
METRICS = re.compile(r"auc|eer|ten_fold|best_threshold|accuracy|(val|fmr|fnmr|fte)(:[0-9.e\-]+)?")
_LIKE = re.compile(rf"(?P<key>{METRICS.pattern})(?: \[%\]| low| high)+")
INDEPENDENT = "other pairs of images, with these trained networks and as if the cells had been tested on different pairs"


@dataclass(frozen=True, eq=False)
class TypedNumbers:
    """Cells with independent variances. Cells tested on the same pairs usually vary alike, so that differences are less
    uncertain.

    Attributes:
        values: (cells,), fractions.
        variances: (cells,); None if unknown.
        units: number of pairs, or of cells if unknown.
    """

    values: np.ndarray
    variances: np.ndarray | None
    units: int

    @property
    def means(self) -> list[float]:
        return [float(one) for one in self.values]

    def estimate(self, weights: np.ndarray, offset: float = 0.0) -> Estimate | None:
        if self.variances is None:
            return None
        value = float(np.dot(weights, self.values)) - offset
        return student(value, float(np.dot(weights**2, self.variances)), math.inf, self.units)


def read_table(path: Path) -> list[Evidence]:
    """The metrics of a CSV file, one cell a line.

    Columns named like a metric (``auc``, ``eer``, ``ten_fold``, ``best_threshold``, ``accuracy``, ``val:0.01``, ...) are
    numbers; in percent if `` [%]`` follows. ``<metric> low`` and ``<metric> high``, in the same unit, are 95 % intervals.
    ``genuine`` and ``impostor`` are numbers of pairs: without intervals, the variances are those of independent pairs. All
    other columns are factors. Lines that begin with # are comments.

    Raises:
        BadInput: names file, line, column, what was found and what is known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from error
    rows = [(number, row) for number, row in enumerate(csv.reader(text.splitlines()), 1) if row and not row[0].startswith("#")]
    if len(rows) < 3:
        raise BadInput(f"{path}: a table has a head and two lines or more; found {len(rows)} lines")
    head = [name.strip() for name in rows[0][1]]
    for number, row in rows:
        if len(row) != len(head):
            raise BadInput(f"{path}:{number}: {len(row)} fields; the head has {len(head)}")
    places = {name: place for place, name in enumerate(head)}
    if len(places) != len(head):
        raise BadInput(f"{path}:{rows[0][0]}: two columns have one name")
    numbers = {name: found for name in head if (found := _HEAD.fullmatch(name)) and METRICS.fullmatch(found["key"])}
    factors = [name for name in head if name not in numbers and name not in PAIRS]
    for name in factors:
        if found := _LIKE.fullmatch(name):
            key = found["key"]
            raise BadInput(
                f"{path}:{rows[0][0]}: column {name!r}: columns of a metric are called '{key}', '{key} low' and '{key} high', "
                f"or in percent '{key} [%]', '{key} [%] low' and '{key} [%] high'"
            )
    if not numbers or not factors:
        raise BadInput(f"{path}: a table has columns of factors and of metrics; found {', '.join(head)}")
    _check_head(f"{path}:{rows[0][0]}", head, numbers)
    cells = [{axis: row[places[axis]].strip() for axis in factors} for _, row in rows[1:]]
    seen: dict[tuple[str, ...], int] = {}
    for (number, _), cell in zip(rows[1:], cells, strict=True):
        if (earlier := seen.setdefault(tuple(cell.values()), number)) != number:
            raise BadInput(f"{path}:{number}: {cell_title(cell)} stands twice, first at line {earlier}")
    columns = {
        name: np.array([_number(path, number, name, row[places[name]], bool(match["percent"])) for number, row in rows[1:]])
        for name, match in numbers.items()
    }
    counts = {
        name: [_count(path, number, name, row[places[name]]) for number, row in rows[1:]] for name in PAIRS if name in head
    }
    axes = {axis: list(dict.fromkeys(cell[axis] for cell in cells)) for axis in factors}
    return [_evidence(path, name, match, columns, counts, axes, cells) for name, match in numbers.items() if not match["end"]]


def _evidence(
    path: Path,
    name: str,
    match: re.Match[str],
    columns: Mapping[str, np.ndarray],
    counts: Mapping[str, list[int]],
    axes: Mapping[str, list[str]],
    cells: list[dict[str, str]],
) -> Evidence:
    values, key, percent = columns[name], match["key"], match["percent"] is not None
    variances, units, basis = None, len(values), ""
    if f"{name} low" in columns and f"{name} high" in columns:
        _check_bounds(path, name, values, columns[f"{name} low"], columns[f"{name} high"], cells)
        variances, basis = normal_variance(columns[f"{name} low"], columns[f"{name} high"]), INDEPENDENT
    elif counts:
        pairs = {kind: np.array(some, np.float64) for kind, some in counts.items()}
        variances, basis = independent_variance(key, values, pairs), INDEPENDENT
        units = int(np.sum([pairs[kind] for kind in counted_pairs(key)], axis=0).min())
    title = TITLES.get(key, key)
    column = Column(path.stem, key, title, percent, 2 if percent else 3, key.split(":")[0] in ERRORS)
    return Evidence(column, axes, cells, TypedNumbers(values, variances, units), basis)


def counted_pairs(key: str) -> tuple[str, ...]:
    """The ``PAIRS`` that a metric is computed from."""
    return OF_ONE_KIND.get(key.split(":")[0], PAIRS)


def independent_variance(key: str, values: np.ndarray, pairs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Variance of a metric of independent pairs (cells,).

    That of the AUC is Hanley and McNeil's (Radiology 143, 1982) for exponentially distributed scores; rates of one kind of
    pairs are proportions of these, accuracies of all pairs together. The equal error rate is the mean of two equal rates.

    Args:
        key: of the metric.
        values: (cells,).
        pairs: (cells,) for each of ``counted_pairs``, the numbers of pairs.
    """
    spread = values * (1 - values)
    kind = key.split(":")[0]
    if kind == "auc":
        genuine, impostor = (pairs[one] for one in PAIRS)
        one, two = values / (2 - values), 2 * values**2 / (1 + values)
        top = spread + (genuine - 1) * (one - values**2) + (impostor - 1) * (two - values**2)
        return np.asarray(top / (genuine * impostor))
    if kind == "eer":
        return np.asarray(spread * np.sum([1 / pairs[one] for one in PAIRS], axis=0) / 4)
    return np.asarray(spread / np.sum([pairs[one] for one in counted_pairs(key)], axis=0))


def _check_head(where: str, head: Sequence[str], numbers: Mapping[str, re.Match[str]]) -> None:
    """Raises BadInput for bounds and numbers of pairs that no metric could use."""
    known = ", ".join(head)
    bounded = set()
    for name, match in numbers.items():
        if match["end"]:
            metric = name.removesuffix(match["end"])
            bounded.add(metric)
            if lacking := [f"{one!r}" for one in (metric, f"{metric} low", f"{metric} high") if one not in numbers]:
                raise BadInput(f"{where}: column {name!r} needs {' and '.join(lacking)}, in the same unit; there are {known}")
    if not any(kind in head for kind in PAIRS):
        return
    for name in (name for name in numbers if name not in bounded):
        if lacking := [f"{kind!r}" for kind in counted_pairs(numbers[name]["key"]) if kind not in head]:
            raise BadInput(
                f"{where}: column {name!r}: its variance needs the numbers of pairs {' and '.join(lacking)}; there are "
                f"{known}. Add them, or the bounds of its interval, or leave out all numbers of pairs"
            )


def _check_bounds(
    path: Path, name: str, values: np.ndarray, low: np.ndarray, high: np.ndarray, cells: Sequence[Mapping[str, str]]
) -> None:
    wrong = np.flatnonzero((low > values) | (values > high))
    if len(wrong):
        one = wrong[0]
        raise BadInput(
            f"{path}: {cell_title(cells[one])}: {name} is {values[one]:g}, which is not between its bounds {low[one]:g} and "
            f"{high[one]:g} (as fractions)"
        )


def _number(path: Path, line: int, name: str, text: str, percent: bool) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadInput(f"{path}:{line}: {name}: {text!r} is no number") from error
    value = value / 100 if percent else value
    if not 0 <= value <= 1:
        hint = "" if percent else "; a column in percent is called " + f"'{name} [%]'"
        raise BadInput(f"{path}:{line}: {name}: {text} is no share from 0 to {'100 %' if percent else '1'}{hint}")
    return value


def _count(path: Path, line: int, name: str, text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 2:
        raise BadInput(f"{path}:{line}: {name}: {text!r} is no number of pairs; two or more are needed")
    return int(text)

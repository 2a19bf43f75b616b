"""Which score of explanations ranks the maps of a cell as the ground truth does.

The ground truth is the pointing metric, on pairs that differ in a known region. Only maps of what makes two faces different
count, since the others are not expected to point there (``ExplainerConfig.difference_maps``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.ledger.study import Study
from grid.results.by_cell import grouped_by_cell
from grid.results.explanation_scores import COSINE, Scored, explained_images
from grid.results.rows import Row
from modules.metrics.score_agreement import score_agreement

TRUTH = "pointing"  # the metric that knows where the images differ
DISTANCE = "distance"

Number = tuple[str, str]  # title of a score and the name of its number
Pair = tuple[str, str]  # keys of the images
Series = dict[str, dict[Pair, float]]  # map -> pair -> value, higher is better


@dataclass(frozen=True)
class Trust:
    """A score against the ground truth, in one cell.

    Attributes:
        of: the kind of pairs, see ``Scored``
        truth, score: the two numbers
        known: whether the score knows the ground truth itself
        maps: the compared maps, such as "corr_rise S-"
        agreement: see ``score_agreement``
    """

    row: Row
    of: str
    truth: Number
    score: Number
    known: bool
    maps: tuple[str, ...]
    agreement: Mapping[str, Any]


def score_trust(study: Study, scored: Sequence[Scored]) -> list[Trust]:
    """Every headline number of every score against every number of ``pointing``, where two maps or more have both."""
    return compared(scored, lambda one: explained_images(study, one))


def compared(scored: Sequence[Scored], images: Callable[[Scored], Sequence[Mapping[str, Any]]]) -> list[Trust]:
    """See ``score_trust``; ``images`` returns the images of a score's explanation, as in its manifest, or none."""
    known = (one for one in scored if one.of.startswith("pairs") and one.state == "done" and _is_of_differences(one.result))
    found = []
    for some in grouped_by_cell(known, lambda one: one.of):
        subjects: dict[Pair, tuple[str, str]] = {}
        values: dict[Number, Series] = {}
        truths: list[Number] = []
        for one in some:
            pairs = _pairs(images(one)) if one.result and one.result.get("each") else []
            if pairs and one.result:
                subjects.update(pairs)
                for number, series in _series(one, [pair for pair, _ in pairs]):
                    values.setdefault(number, {}).update(series)
                    if one.result["score"] == TRUTH and number not in truths:
                        truths.append(number)
        for truth in truths:
            for score in (*(number for number in values if number not in truths), *truths):
                maps = tuple(name for name in values[truth] if name in values[score])
                if score == truth or len(maps) < 2:
                    continue
                order = list(subjects)
                tables = (_table(values[number], maps, order) for number in (score, truth))
                agreement = score_agreement(*tables, *zip(*(subjects[pair] for pair in order), strict=True))
                found.append(Trust(some[0].row, some[0].of, truth, score, score in truths, maps, agreement))
    return found


def _is_of_differences(result: Mapping[str, Any] | None) -> bool:
    """Whether maps of the difference were scored; pointing with ``truth: similarity`` is ground truth of the other maps."""
    if result is None:
        return False
    other = result["score"] == TRUTH and result["config"].get("truth") == "similarity"
    return bool(result.get("difference_maps")) and not other


def _pairs(images: Sequence[Mapping[str, Any]]) -> list[tuple[Pair, tuple[str, str]]]:
    """The keys and the subjects of each pair, in order; an explanation may show one pair several times."""
    sides = zip(images[0::2], images[1::2], strict=True)
    return [((left["key"], right["key"]), (left["identity"], right["identity"])) for left, right in sides]


def _series(one: Scored, pairs: Sequence[Pair]) -> list[tuple[Number, Series]]:
    """The headline numbers of a score for each pair: the mean over its images that were scored.

    Higher is better. Insertion and deletion of pair methods follow the cosine, which a map of the difference should lower;
    they become those of the distance, as other methods have them.
    """
    assert one.result is not None
    each, made = one.result["each"], []
    places = [row if each["of"] == "pairs" else row // 2 for row in each["rows"]]
    for key in one.result.get("headlines", ()):
        series: Series = {}
        for name, numbers in each["maps"].items():
            if key not in numbers or name not in one.result["difference_maps"]:
                continue
            values = np.asarray(numbers[key], np.float64)
            values = 1 - values if key == COSINE else values
            values = -values if key in one.result.get("lower_is_better", ()) else values
            means: dict[Pair, list[float]] = {}
            for place, value in zip(places, values.tolist(), strict=True):
                means.setdefault(pairs[place], []).append(value)
            series[f"{one.method} {name}".rstrip()] = {pair: float(np.mean(some)) for pair, some in means.items()}
        made.append(((one.score, DISTANCE if key == COSINE else key), series))
    return made


def _table(series: Series, maps: Sequence[str], pairs: Sequence[Pair]) -> np.ndarray:
    """(maps, pairs) float64, NaN where a map has no value."""
    return np.array([[series[name].get(pair, np.nan) for pair in pairs] for name in maps])

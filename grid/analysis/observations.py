"""The cells of a study as observations: their levels and replicates, and their scores on the pairs that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from configs.lookup import resolve
from grid.ledger.ledger import Damaged
from grid.ledger.study import Study
from grid.plan.inputs import Blocked, InputResolver
from grid.results.combinations import SCORES, content
from grid.results.rows import Row, Table
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.stage_name import EVALUATE, StageName


@dataclass(frozen=True)
class Observation:
    """One evaluated cell: ``levels`` without the replicate, and the number of the replicate (0 if there are none).

    ``study``: which it is of, where several are compared.
    """

    levels: Mapping[str, str]
    replicate: int
    row: Row
    study: Study | None = None


@dataclass(frozen=True)
class Items:
    """Scores of all observations on the same n pairs.

    Attributes:
        scores: (observations, n) float64.
        same: (n,) bool.
        folds: (n,) int.
        subjects: (n,) text each, of the pairs' first and second images; None: see ``unknown``.
        unknown: why the subjects are unknown; empty if they are known.
        left_out: pairs that some observation lacks.
        verifier: accuracies come from a trained verifier, and are not those of the scores.
    """

    scores: np.ndarray
    same: np.ndarray
    folds: np.ndarray
    subjects: tuple[np.ndarray, np.ndarray] | None
    unknown: str = ""
    left_out: int = 0
    verifier: bool = False


def observations(table: Table, protocol: str) -> tuple[list[Observation], int]:
    """The cells with results under a protocol, and how many were left out as copies.

    Replicates of a cell whose outputs are equal, such as those of a stage that they share, are one computation: counting them
    as several would make every difference look certain.
    """
    found: list[Observation] = []
    seen: set[tuple[Any, ...]] = set()
    copies = 0
    for row in table.rows:
        if protocol not in row.metrics:
            continue
        levels = other_levels(row.cell.levels)
        key = (*levels.items(), content(row, protocol))
        if key in seen:
            copies += 1
            continue
        seen.add(key)
        found.append(Observation(levels, int(row.cell.levels.get(REPLICATE, 0)), row))
    return found, copies


def items(study: Study, protocol: str, found: Sequence[Observation]) -> Items | None:
    """The scores under a protocol; None if it has no scored pairs, a file is damaged, or the cells share no pairs."""
    import pyarrow.parquet as pq

    tables = []
    for one in found:
        marker = one.row.markers.get(StageName(EVALUATE, protocol))
        if marker is None or SCORES not in marker.outputs:
            return None
        try:
            tables.append(pq.read_table((one.study or study).ledger.path(marker, SCORES)))
        except Damaged:
            return None
    keys = [_keys(table["left"].to_pylist(), table["right"].to_pylist()) for table in tables]
    common = [key for key in keys[0] if all(key in other for other in keys[1:])]
    if not common:
        return None
    places = [np.array([own[key] for key in common], np.int64) for own in keys]
    same, folds = (tables[0][name].to_numpy()[places[0]] for name in ("same", "fold"))
    scores = np.stack([table["score"].to_numpy()[place] for table, place in zip(tables, places, strict=True)])
    subjects, unknown = known_subjects(partial(identities, study), protocol, found[0].row, [key[:2] for key in common], same)
    return Items(
        scores=scores.astype(np.float64),
        same=same,
        folds=folds,
        subjects=subjects,
        unknown=unknown,
        left_out=len({key for own in keys for key in own}) - len(common),
        verifier="verifier" in tables[0].column_names,
    )


def identities(study: Study, config: Mapping[str, Any]) -> dict[str, str]:
    """Image key -> subject, of a protocol's dataset.

    Args:
        config: of the protocol, as resolved in a cell.

    Raises:
        ValueError: the data or the component is not on this machine, or the dataset has no subjects.
    """
    data, manifest = protocol_data(study, config)
    if not data.identified:
        raise ValueError(f"the dataset {data.name} has no subjects")
    return dict(zip(manifest.keys, manifest.identities, strict=True))


def protocol_config(row: Row, protocol: str) -> Mapping[str, Any]:
    """The settings of the protocol with that title in a cell.

    Raises:
        ValueError: the protocol is not in the grid file any more.
    """
    for one in row.cell.config.get("protocols", ()):
        if (one.get("label") or one.get("name")) == protocol:
            return one  # type: ignore[no-any-return]
    raise ValueError("the protocol is not in the grid file any more")


def protocol_data(study: Study, config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The dataset of a protocol and its manifest.

    Raises:
        ValueError: the data or the component is not on this machine.
    """
    resolver = InputResolver(study.store)
    try:
        data = resolver.dataset(resolve("protocol", config))  # type: ignore[arg-type]
        return data, resolver.manifest(data)
    except (Blocked, ValueError, KeyError, OSError, ImportError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def pair_subjects(who: Mapping[str, str], keys: Iterable[tuple[str, str]], same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The subjects (n,) of the pairs' first and second images.

    Raises:
        ValueError: an image has no subject, or a pair is genuine and of two subjects or the reverse.
    """
    pairs = list(keys)
    for key in (key for pair in pairs for key in pair):
        if key not in who:
            raise ValueError(f"the image {key} is not in the dataset")
    left, right = (np.array([who[pair[side]] for pair in pairs]) for side in (0, 1))
    if ((left == right) != same).any():
        row = int(np.flatnonzero((left == right) != same)[0])
        raise ValueError(f"the pair {' and '.join(pairs[row])} is {'genuine' if same[row] else 'an impostor pair'}, "
                         f"but of {left[row]} and {right[row]}")  # fmt: skip
    return left, right


def known_subjects(
    read: Callable[[Mapping[str, Any]], Mapping[str, str]],
    protocol: str,
    row: Row,
    keys: Sequence[tuple[str, str]],
    same: np.ndarray,
) -> tuple[tuple[np.ndarray, np.ndarray] | None, str]:
    """The subjects (n,) of the first and second images of a protocol's pairs, or None; and why they are unknown.

    Args:
        read: ``identities`` of the study
        row: a cell that has the protocol
        keys: of both images of each pair
        same: (n,) bool
    """
    try:
        return pair_subjects(read(protocol_config(row, protocol)), keys, same), ""
    except ValueError as error:
        return None, str(error)


def _keys(left: Iterable[str], right: Iterable[str]) -> dict[tuple[str, str, int], int]:
    """(left, right, number of earlier equal pairs) -> row."""
    counts: dict[tuple[str, str], int] = {}
    found = {}
    for place, pair in enumerate(zip(left, right, strict=True)):
        counts[pair] = counts.get(pair, -1) + 1
        found[(*pair, counts[pair])] = place
    return found

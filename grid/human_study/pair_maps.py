"""The maps that a group of participants sees: those of one explainer on the selected pairs, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
from rich.console import Console

from grid.explain import of_study
from grid.explain.options import Look, methods
from grid.human_study.design import Group
from grid.ledger.study import Study
from grid.results.explanation_reader import Explained, read
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EXPLAIN, StageName

NORMALIZED = "normalized"  # pairwise occlusion divided by Theta, from 0 to 1: what Zhong and Deng show
OCCLUSION = "pair_occlusion"
SHARE = 0.995  # of all values, that the scale of other maps covers: a few outliers would make all maps dark


@dataclass(frozen=True, eq=False)
class GroupMaps:
    """The maps of a group.

    Attributes:
        crops: uint8 (N, 2, H, W, 3), left and right of each pair, as the network sees them
        maps: float32 (N, 2, h, w), raw
    """

    group: Group
    crops: np.ndarray
    maps: np.ndarray


def explain_pairs(
    study: Study,
    where: Mapping[str, Sequence[str]],
    groups: Sequence[str],
    keys: Sequence[tuple[str, str]],
    protocol: str,
    console: Console,
) -> list[GroupMaps]:
    """Runs the missing explanations of these pairs as stages of the study, and reads them; a second call computes nothing.

    Args:
        groups: explainers, as ``facegrid explain --methods`` takes them; one group each, A, B, C, ...
        keys: of the two images of each pair

    Raises:
        BadInput: an explainer is unknown, refuses these pairs, or failed.
    """
    flat = tuple(key for pair in keys for key in pair)
    explainers = methods(groups, Look(pairs=flat, protocol=protocol))
    if len(explainers) > len(ascii_uppercase):
        raise BadInput(
            f"--groups: {len(explainers)} explainers; groups have letters, so there are at most {len(ascii_uppercase)}"
        )
    facts = of_study.explain(study, where, explainers, None, console)
    rows = [row for row in facts["explanations"] if row["kind"] == EXPLAIN]
    for row in rows:
        if row["state"] != "done":
            why = f"{row['refused']['code']}: {row['refused']['reason']}" if row.get("refused") else row["error"]
            raise BadInput(f"--groups {row['method']}: {row['state']}: {why}; choose another explainer")
    study = Study(study.path)
    cell = study.only(where, "a human study takes")
    names = [row["method"] for row in rows]
    found = []
    for number, row in enumerate(rows):
        title = row["method"] if names.count(row["method"]) == 1 else row["label"]
        one = read(study.ledger, title, cell.markers[StageName(EXPLAIN, row["label"])])
        found.append(_maps(ascii_uppercase[number], one))
    return found


def _maps(letter: str, one: Explained) -> GroupMaps:
    if one.refused_pairs:
        pair, why = next(iter(one.refused_pairs.items()))
        raise BadInput(f"--groups {one.title}: it refuses {len(one.refused_pairs)} of the pairs, such as pair {pair}: {why}")
    name = NORMALIZED if NORMALIZED in one.names else one.names[0]
    maps, crops = one.maps(name), one.crops()
    if one.manifest.get("method") == OCCLUSION and name != NORMALIZED:  # Theta could not be found
        maps, name = np.maximum(maps, 0.0), f"{name}, negative values as 0"  # as in the paper's Section III.B
    signed = bool(maps.min(initial=0.0) < 0) and one.scale(name, maps).signed
    high = 1.0 if name == NORMALIZED else float(np.quantile(np.abs(maps) if signed else maps, SHARE))
    config = dict(one.manifest.get("config") or {})
    config = {key: value for key, value in config.items() if key not in ("chosen", "pairs", "images")}  # they are in the design
    group = Group(
        letter=letter, title=one.title, map=name, low=-high if signed else 0.0, high=high, signed=signed, config=config
    )
    return GroupMaps(group, crops.reshape(-1, 2, *crops.shape[1:]), maps.reshape(-1, 2, *maps.shape[1:]))

"""From a finished study to the bundle of a human study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from grid.human_study.bundle import check_target, write_bundle
from grid.human_study.design import Inclusion
from grid.human_study.pair_maps import explain_pairs
from grid.human_study.pair_pool import read_pool
from grid.human_study.selection import select
from grid.ledger.study import Study
from grid.spec.grid_file import BadInput


def make(
    study: Study,
    where: Mapping[str, Sequence[str]],
    protocol: str,
    groups: Sequence[str],
    to: Path,
    console: Console,
    *,
    threshold: float | None = None,
    inclusion: Inclusion | None = None,
    **rule: Any,
) -> dict[str, Any]:
    """Selects the pairs, makes their maps and writes the bundle ``to``; returns facts as JSON values.

    Args:
        groups: explainers, one group of participants each
        threshold: of the cosine; None: the most accurate one of the protocol
        rule: arguments of ``grid.human_study.selection.select``

    Raises:
        BadInput: an error in an option, found before anything is computed, or an explainer that cannot explain these pairs.
    """
    check_target(to)
    pool = read_pool(study, where, protocol)
    try:
        rows, selection = select(pool.scores, pool.same, pool.threshold if threshold is None else threshold, **rule)
    except ValueError as error:
        raise BadInput(f"protocol {protocol}: {error}") from error
    keys = [pool.keys[row] for row in rows]
    maps = explain_pairs(study, where, groups, keys, protocol, console)
    about = {
        "name": f"{study.name}, {protocol}",
        "study": study.name,
        "cell": pool.cell.title,
        "protocol": protocol,
        "checkpoint": pool.checkpoint,
    }
    pairs = [(*pair, bool(pool.same[row]), float(pool.scores[row])) for pair, row in zip(keys, rows.tolist(), strict=True)]
    rule_made = {**selection, "threshold_from": "the most accurate threshold" if threshold is None else "--threshold"}
    design = write_bundle(to, about, rule_made, inclusion or Inclusion(), pairs, maps)
    return {
        "bundle": str(to),
        "pairs": len(design.pairs),
        "network_accuracy": selection["network_accuracy"],
        "selected": selection["selected"],
        "groups": {group.letter: group.title for group in design.groups},
        "inclusion": design.inclusion.words,
        "files": len(design.files),
    }

"""Explanations, and their scores, that were added to a finished study; plan.json lists them next to those of the grid file.

``explained`` lists them by the training they belong to. Each cell of that training includes them in its stages, so status,
report and MLflow show them like any other stage. A launch of the grid keeps them and runs nothing for them, so they do not
affect whether a cell is done: the cell's ``added`` lists them, and failed ones are reported separately.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from grid.spec.stage_name import EXPLAIN, SCORE, TRAIN, StageName, named


@dataclass(frozen=True)
class Explained:
    """One explanation of one training, or one score of such an explanation."""

    train: str  # id of the training
    label: StageName  # "explain:rise", "score:rise:sanity"
    id: str
    needs: tuple[str, ...]
    explainer: Mapping[str, Any]  # its config, as JSON


def entries(record: Mapping[str, Any]) -> list[Explained]:
    """The explanations added to a study so far."""
    return [
        Explained(**{**one, "label": named(record, one["label"]), "needs": tuple(one["needs"])})
        for one in record.get("explained", ())
    ]


def added(record: Mapping[str, Any], new: Iterable[Explained]) -> dict[str, Any]:
    """The record with the ``new`` explanations; an earlier one of the same training and label is replaced."""
    known = {(one.train, one.label): one for one in [*entries(record), *new]}
    names = {**record.get("names", {}), **{one.label: [one.label.kind, *one.label.titles] for one in known.values()}}
    explained = [{**asdict(one), "needs": list(one.needs)} for one in known.values()]
    return _shown({**record, "names": names, "explained": explained})


def carried(record: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record of a launch, including what was added to the ``earlier`` record.

    If the grid file now uses the same label, its explainer takes precedence.
    """
    names = {**(earlier or {}).get("names", {}), **record.get("names", {})}
    return _shown({**record, "names": names, "explained": (earlier or {}).get("explained", [])})


def dropped(
    record: Mapping[str, Any], trainings: Iterable[str], labels: Iterable[str]
) -> tuple[dict[str, Any], list[Explained]]:
    """The record without the additions ``labels`` of these trainings, and the removed entries, among them their scores.

    Labels omit the prefixes ``explain:`` and ``score:``: "rise", or "rise:sanity" for a score alone.
    """
    wanted, of = tuple(labels), set(trainings)

    def meant(one: Explained) -> bool:
        return one.train in of and (one.label.about in wanted or one.label.titles[0] in wanted)

    gone = [one for one in entries(record) if meant(one)]
    kept = [{**asdict(one), "needs": list(one.needs)} for one in entries(record) if one not in gone]
    shown = _shown({**record, "hidden": record.get("hidden", [])})
    parts = {part: [_without(cell, gone) for cell in shown[part]] for part in ("cells", "hidden")}
    return _shown({**shown, **parts, "explained": kept}), gone


def _without(cell: Mapping[str, Any], gone: Iterable[Explained]) -> dict[str, Any]:
    """The cell without these additions."""
    own, added = dict(cell["stages"]), set(cell.get("added", ()))
    for one in gone:
        if one.label in added and (own.get(TRAIN), own.get(one.label)) == (one.train, one.id):
            del own[one.label]
    return {**cell, "stages": own, "added": sorted(added & own.keys())}


def _asked(config: Mapping[str, Any]) -> set[StageName]:
    """Labels of the explanations and scores that the grid file requests for a resolved cell."""
    found: set[StageName] = set()
    for explainer in config.get("explainers", ()):
        title = explainer.get("label") or explainer["name"]
        found.add(StageName(EXPLAIN, title))
        found |= {StageName(SCORE, title, score.get("label") or score["name"]) for score in explainer.get("scores", ())}
    return found


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    stages = {stage["id"]: dict(stage) for stage in record["stages"]}
    cells, known = [], entries(record)
    for cell in record["cells"]:
        own = dict(cell["stages"])
        for one in known:
            if own.get(TRAIN) != one.train or own.get(one.label, one.id) != one.id:
                continue
            if one.label not in own and one.id in own.values():
                continue  # the grid file has the same explainer under another label
            own[one.label] = one.id
            stage = stages.setdefault(
                one.id,
                {
                    "id": one.id, "stage": one.label.kind, "label": one.label, "state": "run", "reason": None,
                    "needs": list(one.needs), "cells": [],
                },
            )  # fmt: skip
            if cell["id"] not in stage["cells"]:
                stage["cells"] = [*stage["cells"], cell["id"]]
        asked = _asked(cell.get("config", {}))
        here = [one.label for one in known if own.get(TRAIN) == one.train and own.get(one.label) == one.id]
        cells.append({**cell, "stages": own, "added": sorted({label for label in here if label not in asked})})
    labels = {label for cell in [*cells, *record.get("hidden", ())] for label in cell["stages"]}
    labels |= {one["label"] for one in record.get("explained", ())}
    names = {label: parts for label, parts in record.get("names", {}).items() if label in labels}
    return {**record, "names": names, "cells": cells, "stages": list(stages.values())}

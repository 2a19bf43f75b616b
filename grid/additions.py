"""Explanations, and scores of them, that were added to a finished study: plan.json has them beside what the grid file asks for.

``explained`` lists them by the training that they are of. Each cell of that training shows them among its stages, so status,
report and MLflow have them like any other; a launch of the grid keeps them and runs nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Explained:
    """One explanation of one training, or one score of such an explanation."""

    train: str  # id of the training
    label: str  # "explain:rise", "score:rise:sanity"
    id: str
    needs: tuple[str, ...]
    explainer: Mapping[str, Any]  # its config, as JSON


def entries(record: Mapping[str, Any]) -> list[Explained]:
    """What was added to a study so far."""
    return [Explained(**{**one, "needs": tuple(one["needs"])}) for one in record.get("explained", ())]


def added(record: Mapping[str, Any], new: Iterable[Explained]) -> dict[str, Any]:
    """The record with ``new`` explanations; one of the same training and label takes the earlier one's place."""
    known = {(one.train, one.label): one for one in [*entries(record), *new]}
    return _shown({**record, "explained": [{**asdict(one), "needs": list(one.needs)} for one in known.values()]})


def carried(record: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record of a launch, with what was added to the ``earlier`` one.

    Where the grid file has come to use the label itself, its own explainer is shown.
    """
    return _shown({**record, "explained": (earlier or {}).get("explained", [])})


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    stages = {stage["id"]: dict(stage) for stage in record["stages"]}
    cells = []
    for cell in record["cells"]:
        own = dict(cell["stages"])
        for one in entries(record):
            if own.get("train") != one.train or own.get(one.label, one.id) != one.id:
                continue
            if one.label not in own and one.id in own.values():
                continue  # the grid file has the same explainer under another label
            own[one.label] = one.id
            stage = stages.setdefault(
                one.id,
                {
                    "id": one.id, "stage": one.label.partition(":")[0], "label": one.label, "state": "run", "reason": None,
                    "needs": list(one.needs), "cells": [],
                },
            )  # fmt: skip
            if cell["id"] not in stage["cells"]:
                stage["cells"] = [*stage["cells"], cell["id"]]
        cells.append({**cell, "stages": own})
    return {**record, "cells": cells, "stages": list(stages.values())}

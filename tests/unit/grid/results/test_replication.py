"""The replicates of a study, read from its results."""

import json
from typing import Any

import pytest

from grid.ledger.study import Study
from grid.results.replication import replicates
from grid.results.rows import table
from modules.metrics.sequential_replication import replicated

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "replicate": ["0", "1", "2", "3"]}
CELLS = [{"backbone": b, "detection": d} for b in AXES["backbone"] for d in AXES["detection"]]
RULE: dict[str, Any] = {
    "at_least": 3, "at_most": 4, "until": {"metric": "auc", "half_width": 0.02, "protocol": None, "of": "pairs"},
    "cells": CELLS, "protocol": "lfw view 2",
}  # fmt: skip


def sequential(study: Study, rule: dict[str, Any] = RULE) -> Study:
    """The study with that rule in its record."""
    record = json.loads((study.path / "plan.json").read_text())
    (study.path / "plan.json").write_text(json.dumps({**record, "replication": rule}))
    return Study(study.path)


def test_a_fixed_number_of_replicates_has_no_decisions(make_study):
    study = make_study(axes=AXES)
    assert replicates(study, table(study)) is None


def test_the_decisions_are_those_of_the_stored_numbers(make_study):
    study = sequential(make_study(axes=AXES, unfinished=[{"backbone": "alexnet", "detection": "none", "replicate": "3"}]))
    rows = table(study)
    found = replicates(study, rows)
    assert found is not None
    assert found.done == (3, 4, 4, 4)
    values = [
        [
            row.metrics["lfw view 2"]["auc"]["value"] if "lfw view 2" in row.metrics else None
            for row in rows.rows
            if {axis: level for axis, level in row.cell.levels.items() if axis != "replicate"} == levels
        ]
        for levels in CELLS
    ]
    assert values[0][3] is None
    assert found.found == replicated(values, found.rule.contrasts(CELLS), (3, 4), 0.02)
    assert len(found.of(0)) == 3
    assert {one.contrast for one in found.of(3)} == {(0, 3), (1, 3), (2, 3)}


def test_another_metric_decides_differently(make_study):
    study = make_study(axes=AXES)
    values = {}
    for metric in ("auc", "eer"):
        rule = {**RULE, "until": {**RULE["until"], "metric": metric}}
        found = replicates(sequential(study, rule), table(study))
        assert found is not None
        values[metric] = [one.value for one in found.found.contrasts]
    assert values["auc"] != pytest.approx(values["eer"])

"""Which replicates a plan has: from the metrics in the ledger."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rich.console import Console
from small import finish

from grid.execution.launch import void_changed
from grid.ledger.ledger import Ledger
from grid.plan.cost import cost
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan, make_plan, store_of
from grid.plan.power import power_lines
from grid.plan.table import plan_table
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]
AXES = {"rate": {"low": {"recipe.lr": 0.01}, "mid": {"recipe.lr": 0.05}, "high": {"recipe.lr": 0.2}}}
RULE: dict[str, Any] = {"at_least": 3, "at_most": 5, "until": {"metric": "auc", "half_width": 0.001}}
VALUES = {"low": [0.50, 0.51, 0.49, 0.505, 0.5], "mid": [0.505, 0.52, 0.502, 0.51, 0.50], "high": [0.9, 0.901, 0.899, 0.9, 0.9]}


def grid_of(make: Make, **until: Any) -> Grid:
    return make(axes=AXES, explainers=[], replicates={**RULE, "until": {**RULE["until"], **until}})


def run(grid: Grid, plan: Plan, values: Mapping[str, list[float | None]] = VALUES, key: str = "auc") -> Plan:
    """Finishes the plan's open stages with these values of the metric by rate and replicate; the plan after that."""
    ledger = Ledger(store_of(grid))
    levels = {cell.id: cell.levels for cell in plan.cells}
    for stage in plan.open:
        if stage.stage != "evaluate":
            finish(grid, stage)
            continue
        here = levels[stage.cells[0]]
        attempt = ledger.begin(stage.stage, stage.id, stage.node.identity)
        value = values[here["rate"]][int(here["replicate"])]
        (attempt.path / "metrics.json").write_text(json.dumps({"task": "verification", key: {"value": value}}))
        kinds = {one.id: one.stage for one in plan.stages}
        markers = {need: ledger.marker(kinds[need], need) for need in stage.needs}
        inputs = {need: marker.content for need, marker in markers.items() if marker}
        attempt.finish({}, inputs, stage.source, ["metrics.json"])
    return make_plan(grid)


def counts(plan: Plan) -> dict[str, int]:
    found: dict[str, int] = {}
    for cell in plan.cells:
        found[cell.levels["rate"]] = found.get(cell.levels["rate"], 0) + 1
    return found


def text_of(plan: Plan) -> str:
    console = Console(width=2000, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(plan_table(plan, cost(plan, plan.resolver)))
    return console.export_text()


def test_only_open_differences_get_more_replicates_up_to_the_last(make: Make) -> None:
    grid = grid_of(make)
    plan = make_plan(grid)
    assert counts(plan) == {"low": 3, "mid": 3, "high": 3}
    plan = run(grid, plan)
    assert counts(plan) == {"low": 4, "mid": 4, "high": 3}
    assert {stage.cells for stage in plan.open if stage.stage == "train"} == {
        (cell.id,) for cell in plan.cells if cell.levels["replicate"] == "3"
    }
    plan = run(grid, plan)
    assert counts(plan) == {"low": 5, "mid": 5, "high": 3}
    plan = run(grid, plan)
    assert counts(plan) == {"low": 5, "mid": 5, "high": 3}
    assert not plan.open
    assert all(one.final for one in plan.grid.granted.values())


def test_a_new_plan_decides_as_the_rounds_did(make: Make) -> None:
    grid = grid_of(make)
    plan = run(grid, run(grid, run(grid, make_plan(grid))))
    again = make_plan(grid_of(make))
    assert again.record() == plan.record()


def test_the_ids_are_those_of_a_fixed_number_of_replicates(make: Make) -> None:
    ids = {(cell.levels["rate"], cell.levels["replicate"]): cell.id for cell in make_plan(grid_of(make)).cells}
    fixed = make(axes=AXES, explainers=[], replicates=3)
    assert ids == {(cell.levels["rate"], cell.levels["replicate"]): cell.id for cell in make_plan(fixed).cells}
    plan = run(fixed, make_plan(fixed))
    assert counts(make_plan(grid_of(make))) == {"low": 4, "mid": 4, "high": 3}, "existing replicates count"
    assert not plan.open


def test_a_filter_does_not_change_what_is_decided(make: Make) -> None:
    grid = grid_of(make)
    run(grid, make_plan(grid))
    part = make_plan(grid, {"rate": ["mid"]})
    assert counts(part) == {"mid": 4}
    assert counts(part.whole()) == {"low": 4, "mid": 4, "high": 3}


def test_a_result_without_a_number_holds_up_its_cell(make: Make) -> None:
    grid = grid_of(make)
    plan = run(grid, make_plan(grid), {**VALUES, "low": [0.5, None, 0.49]})
    assert counts(plan) == {"low": 3, "mid": 3, "high": 3}
    assert [one.final for one in plan.grid.granted.values()] == [False, False, False]


def test_narrow_intervals_of_means(make: Make) -> None:
    grid = grid_of(make, of="means", half_width=0.02)
    assert counts(run(grid, make_plan(grid))) == {"low": 4, "mid": 4, "high": 3}


def test_the_record_has_the_rule_and_what_is_compared(make: Make) -> None:
    record = make_plan(grid_of(make)).record()
    assert record["replicates"] == 5
    until = {"metric": "auc", "half_width": 0.001, "protocol": None, "of": "pairs"}
    assert record["replication"] == {
        "at_least": 3,
        "at_most": 5,
        "until": until,
        "cells": [{"rate": "low"}, {"rate": "mid"}, {"rate": "high"}],
        "protocol": "drawn",
    }


def test_a_plan_shows_how_many_replicates_there_may_be_and_their_cost(make: Make) -> None:
    grid = grid_of(make)
    plan = make_plan(grid)
    costs = cost(plan, plan.resolver)
    assert costs["most"]["training_flops"] == costs["training_flops"] * 5 // 3
    assert costs["most"]["disk_bytes"] == costs["disk_bytes"] * 5 // 3
    assert "3 to 5 replicates of each cell repeat train under other seeds: one more until its differences" in text_of(plan)
    assert "0 of 3 cells need no more; 9 to 15 replicates in all." in text_of(plan)
    assert " GFLOPs to " in text_of(plan) or " TFLOPs to " in text_of(plan)
    plan = run(grid, plan)
    assert "1 cell of 3" not in text_of(plan)
    assert "1 of 3 cells need no more; 11 to 13 replicates in all." in text_of(plan)
    costs = cost(plan, plan.resolver)
    assert costs["most"]["training_flops"] == costs["training_flops"] * 13 // 11
    assert "most" not in cost(make_plan(make(axes=AXES)), InputResolver(store_of(grid)))


def test_the_power_is_that_of_the_last_look(make: Make) -> None:
    from modules.metrics.group_sequential import nominal_levels
    from modules.metrics.power import between_cells

    plan = make_plan(grid_of(make))
    level = nominal_levels(3, ((0, 1), (0, 2), (1, 2)), (3, 4, 5))[-1]
    assert level < 0.05 / 3 * 1.2
    least = between_cells(5, level)
    assert (
        f"sequential: 3 to 5 replicates detect differences of two cells from {least:.1f} "
        in power_lines(plan, plan.resolver)[0]
    )


def test_an_unknown_protocol_or_metric_is_named_before_anything_runs(make: Make) -> None:
    with pytest.raises(BadInput, match=r"grid.yaml:\d+: replicates.until.protocol: no protocol is called 'drawm'.*drawn"):
        make_plan(grid_of(make, protocol="drawm"))
    with pytest.raises(BadInput, match=r"grid.yaml:\d+: replicates.until.metric: drawn has no metric 'acu'.*auc"):
        make_plan(grid_of(make, metric="acu"))


def test_a_metric_that_the_results_lack_is_named(make: Make) -> None:
    grid = grid_of(make, metric="val:0.5")
    with pytest.raises(BadInput, match=r"replicates.until.metric: drawn has no metric 'val:0.5'.*auc"):
        run(grid, make_plan(grid))


def test_one_cell_cannot_be_compared(make: Make) -> None:
    with pytest.raises(BadInput, match=r"replicates.until.of: no two cells can be compared; `of: means`"):
        make_plan(make(axes={}, replicates=RULE))
    alone = {**RULE, "until": {**RULE["until"], "of": "means"}}
    assert len(make_plan(make(axes={}, replicates=alone)).cells) == 3


def test_a_damaged_result_is_computed_again_before_anything_is_decided(make: Make) -> None:
    grid = grid_of(make)
    plan = run(grid, make_plan(grid))
    stage = next(one for one in plan.stages if one.stage == "evaluate" and one.cells == (plan.cells[0].id,))
    marker = Ledger(store_of(grid)).marker("evaluate", stage.id)
    assert marker is not None
    next(Ledger(store_of(grid)).store.local(f"evaluate/{stage.id}").glob("0*/metrics.json")).write_text("{}")
    again = make_plan(grid)
    assert counts(again) == {"low": 3, "mid": 3, "high": 3}, "low is judged with nothing, and mid waits for it"
    assert [one.id for one in again.open] == [stage.id]
    void_changed(again, Ledger(store_of(grid)))
    assert counts(run(grid, again)) == counts(plan)


def test_a_result_of_an_earlier_training_decides_nothing(make: Make) -> None:
    grid = grid_of(make)
    plan = run(grid, make_plan(grid))
    train = next(one for one in plan.stages if one.stage == "train" and one.cells == (plan.cells[0].id,))
    Ledger(store_of(grid)).void("train", train.id, "for the test")
    finish(grid, train, "other weights")
    again = make_plan(grid)
    assert counts(again) == {"low": 3, "mid": 3, "high": 3}
    assert [one.stage for one in again.open] == ["evaluate"]

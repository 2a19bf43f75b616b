"""The estimate for a cluster, from durations that were measured in the same store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from small import stages

from grid.execution.job import jobs_of
from grid.execution.memory_peak import GIB, Peak
from grid.execution.peaks import Peaks, key_of
from grid.execution.spending_estimate import Estimate, device_of, estimate, estimate_lines
from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, PlannedStage, make_plan, store_of
from grid.plan.workload import workloads
from grid.spec.grid_file import BadInput, Grid
from grid.spec.launch_settings import Launch

Make = Callable[..., Grid]
RATES = {f"r{number}": {"recipe.lr": 0.01 * number} for number in range(1, 11)}
ONE = {"base": {}, "axes": {"rate": RATES}, "protocols": [], "explainers": []}  # ten cells, a training each


def took(plan: Plan, stage: PlannedStage, seconds: float, device: str = "NVIDIA H100") -> None:
    """Finishes a stage that took so long."""
    about = {"workload": workloads(plan)[stage.id].record()}
    ledger = Ledger(store_of(plan.grid))
    needs = ledger.markers(dict.fromkeys(stage.needs, "train"))
    attempt = ledger.begin(stage.stage, stage.id, stage.node.identity, about=about)
    attempt.clock -= seconds
    attempt.finish({}, {id: marker.content for id, marker in needs.items() if marker}, stage.source, [], {"device": device})


def tenth(make: Make, seconds: float = 3600.0, count: int = 5, device: str = "NVIDIA H100", **launch: Any) -> Plan:
    """The plan with some trainings done, each in that time."""
    grid = make(**{**ONE, "launch": {"study": str(make().spec.launch.study), **launch}})
    plan = make_plan(grid)
    for stage in stages(plan, "train")[:count]:
        took(plan, stage, seconds, device)
    return make_plan(grid)


def test_equal_trainings_take_their_time_divided_by_the_gpus(make: Make) -> None:
    found = estimate(tenth(make), "1x1:H100")
    assert (found.stages, found.measured, found.unknown) == (5, 5, {})
    assert found.seconds.median == pytest.approx(5 * 3600, rel=0.15)
    assert found.hours["GPU"].median == found.hours["CPU"].median == pytest.approx(5, rel=0.15)
    wide = estimate(tenth(make), "5x1:H100")
    assert wide.hours["GPU"].median == pytest.approx(5, rel=0.15)
    assert 3600 <= wide.seconds.median < 2 * 3600, "the slowest of five"
    assert found.seconds.low < found.seconds.median < found.seconds.high


def test_trainings_share_a_gpu_where_their_memory_was_measured(make: Make) -> None:
    plan = tenth(make, resources={"gpus": "measured"})
    assert estimate(plan, "1x1:H100").hours["GPU"].median == pytest.approx(5, rel=0.15), "not measured: a whole GPU"
    (job,) = jobs_of(stages(plan, "train")[-1:], store_of(plan.grid), workers=plan.grid.spec.launch.workers).values()
    Peaks(plan.study).put(key_of(job), Peak(GIB, 9 * GIB, 80 * GIB, "NVIDIA H100"))  # 7 fit
    found = estimate(plan, "1x1:H100")
    assert found.hours["GPU"].median == pytest.approx(5 / 7, rel=0.15)
    assert found.seconds.median < 2 * 3600, "all five at once"
    Peaks(plan.study).put(key_of(job), Peak(GIB, 9 * GIB, 80 * GIB, "NVIDIA H100", ("H100",)))
    assert estimate(plan, "1x1:H100").hours["GPU"].median == pytest.approx(5 / 7, rel=0.15)
    Peaks(plan.study).put(key_of(job), Peak(GIB, 9 * GIB, 80 * GIB, "NVIDIA A100-SXM4-80GB", ("A100",)))
    assert estimate(plan, "1x1:H100").hours["GPU"].median == pytest.approx(5, rel=0.15), "of other GPUs: a whole one"


def test_the_interval_is_wide_after_one_measurement_and_narrow_after_nine(make: Make, tmp_path: Any) -> None:
    def width(count: int) -> float:
        found = estimate(tenth(make, count=count), "1x1:H100").seconds
        return found.high / found.low

    assert width(1) > 1.5 * width(9) > 1.5


def test_a_part_of_a_gpu_lets_several_share_it(make: Make) -> None:
    found = estimate(tenth(make, resources={"gpus": 0.2, "cpus": 3}), "1x1:H100")
    assert found.hours["GPU"].median == pytest.approx(1, rel=0.15)
    assert found.hours["CPU"].median == pytest.approx(15, rel=0.15)
    assert found.seconds.high < 3 * 3600
    few = estimate(tenth(make, resources={"gpus": 0.2, "cpus": 3}), "1x1:H100/3")
    assert few.seconds.median == pytest.approx(5 * 3600, rel=0.15), "three cores are enough for one at a time"


def test_stages_that_need_no_gpu_hold_none(make: Make) -> None:
    launch = {"study": str(make().spec.launch.study), "stage_resources": {"evaluate": {"gpus": 0}}}
    grid = make(**{name: part for name, part in ONE.items() if name != "protocols"}, launch=launch)
    plan = make_plan(grid)
    for stage in stages(plan, "train")[:5]:
        took(plan, stage, 3600)
    for stage in [stage for stage in plan.stages if stage.stage == "evaluate"][:5]:
        took(plan, stage, 7200, "cpu")
    found = estimate(make_plan(grid), "1x1:H100/4")
    assert (found.stages, found.unknown) == (10, {})
    assert found.hours["GPU"].median == pytest.approx(5, rel=0.15)
    assert found.hours["CPU"].median == pytest.approx(15, rel=0.15)
    assert found.seconds.median < 9 * 3600, "the next training begins when the one before has given its GPU back"


def test_prices_give_money_for_the_hours_and_for_the_whole_cluster(make: Make) -> None:
    prices = {"currency": "EUR", "cpu_hour": 0.5, "gpu_hour": {"H100": 2.0}}
    found = estimate(tenth(make, prices=prices), "2x4:H100/10")
    assert found.cost is not None
    assert found.cost_of_cluster is not None
    assert found.cost.median == pytest.approx(5 * 2.5, rel=0.15)
    assert found.cost_of_cluster.median == pytest.approx(found.seconds.median / 3600 * (20 * 0.5 + 8 * 2.0))
    assert "EUR 1" in estimate_lines(found, "g.yaml")[0]
    assert found.without_price is None
    cores = estimate(tenth(make, prices=prices), "1x1:H100")
    assert cores.cost_of_cluster is None
    assert "(for all nodes to the end: not known without their number of cores)" in estimate_lines(cores, "g.yaml")[0]
    assert estimate(tenth(make, prices={"gpu_hour": {"H100": 2.0}}), "1x1:H100").cost_of_cluster is not None
    unpriced = estimate(tenth(make, prices={"gpu_hour": {"A100": 2.0}}), "1x1:H100")
    assert unpriced.cost is None
    line = "no amount of money: launch.prices.gpu_hour has no price for H100; add it, or any"
    assert line in estimate_lines(unpriced, "g.yaml")
    assert line not in estimate_lines(estimate(tenth(make), "1x1:H100"), "g.yaml"), (
        "without any price there is no amount to explain"
    )


def test_stages_with_no_history_on_the_device_are_named_and_left_out(make: Make) -> None:
    plan = tenth(make, device="cpu")
    found = estimate(plan, "1x1:H100")
    assert (found.unknown, found.seconds.high) == ({"train": 5}, 0.0)
    (line,) = estimate_lines(found, "g.yaml")
    assert "unknown: 5 stages of kind train have no history on such devices" in line
    assert "`facegrid launch g.yaml --where rate=r6`" in line
    on_cpu = estimate(plan, "1x0/4")
    assert (on_cpu.unknown, on_cpu.hours["GPU"].high) == ({}, 0.0)
    assert "GPU-hours" not in estimate_lines(on_cpu, "g.yaml")[0]


def test_what_is_measured_is_estimated_beside_what_is_not(make: Make) -> None:
    grid = make(axes={"rate": RATES}, explainers=[])
    plan = make_plan(grid)
    took(plan, stages(plan, "train")[0], 60.0, "cpu")
    lines = estimate_lines(found := estimate(make_plan(grid), "1x0/1"), "g.yaml")
    assert found.unknown.keys() == {"evaluate"}
    assert lines[0].startswith("cluster 1x0/1: wall time ")
    assert "stages of kind evaluate have no history" in lines[1]


def test_few_cells_are_named_that_together_measure_all_unknown_kinds(make: Make) -> None:
    def named(**changes: Any) -> str:
        return estimate_lines(estimate(make_plan(make(**changes)), "1x0/1"), "my grid.yaml")[-1]

    detection = {"none": {"detector.name": "none"}, "mtcnn": {"detector.name": "mtcnn"}}
    pretraining = {
        "none": {"pretraining.name": "none"},
        "source": {"pretraining": {"name": "source", "data": {"name": "drawn", "subjects": 4, "shots": 6, "size": 64}}},
    }
    both = {"detection": detection, "pretraining": pretraining}
    first = "`facegrid launch 'my grid.yaml' --where detection="
    assert f"{first}mtcnn,pretraining=source` there" in named(axes=both)
    apart = {"when": {"detection": "mtcnn", "pretraining": "source"}, "because": "the test"}
    said = named(axes=both, skip=[apart])
    assert f"{first}none,pretraining=source` and {first}mtcnn,pretraining=none` there" in said


def test_a_finished_grid_has_nothing_to_run(make: Make) -> None:
    found = estimate(tenth(make, count=10), "1x1:H100")
    assert (found.stages, found.seconds.high) == (0, 0.0)
    assert estimate_lines(found, "g.yaml") == ["cluster 1x1:H100: nothing to run"]


def test_a_large_detection_is_divided_as_in_a_launch(make: Make) -> None:
    base = {"detector": "mtcnn", "data": {"name": "drawn", "subjects": 10, "shots": 10}}

    def seconds(**launch: Any) -> float:
        where = {"study": str(make().spec.launch.study), **launch}
        grid = make(axes={"rate": RATES}, base=base, protocols=[], explainers=[], launch=where)
        plan = make_plan(grid)
        both = [stages(plan, "detect:data")[0], stages(plan, "train")[0]]
        for stage in both:
            if stage.state == "run":
                took(plan, stage, 3600.0 if stage.stage == "detect" else 1.0, "cpu")
        other = make(axes={"rate": RATES}, base={**base, "data": {**base["data"], "shots": 11}}, protocols=[], explainers=[],
                     launch=where)  # fmt: skip
        return estimate(make_plan(other), "1x0/5").seconds.median

    assert seconds() == pytest.approx(3960, rel=0.5)
    assert seconds(detect_images=22) < 0.4 * seconds()


def test_shapes_that_do_not_suit_are_refused(make: Make) -> None:
    with pytest.raises(BadInput, match="has no room for rate=r6"):
        estimate(tenth(make, resources={"gpus": 2}), "4x1:H100")
    assert estimate(tenth(make), "1x1:H100+1x0/4").unknown == {}


def test_the_simulation_of_many_devices_needs_room_for_all(make: Make) -> None:
    plan = make_plan(make(**{**ONE, "base": {"compute": {"devices": 4}}}))
    with pytest.raises(BadInput, match="has no room for rate=r1"):
        estimate(plan, "1x2:H100")


def test_each_device_of_a_training_is_reserved(make: Make) -> None:
    plan = make_plan(make(**{**ONE, "base": {"compute": {"devices": 4}}}))
    took(plan, stages(plan, "train")[0], 3600.0)
    found = estimate(make_plan(plan.grid), "1x4:H100")
    assert found.hours["GPU"].median == pytest.approx(4 * found.seconds.median / 3600)


def test_an_evaluation_alone_reserves_the_devices_of_its_cell_as_far_as_there_is_room(make: Make) -> None:
    parts = {**ONE, "axes": {"rate": {name: RATES[name] for name in ("r1", "r2")}}, "base": {"compute": {"devices": 4}}}
    parts["protocols"] = [{"name": "drawn", "subjects": 20, "shots": 8, "folds": 5}]
    grid = make(**{**parts, "launch": {"study": str(make().spec.launch.study)}})
    plan = make_plan(grid)
    for stage in [stage for stage in plan.stages if stage.stage == "train"]:
        took(plan, stage, 60)
    took(plan, next(stage for stage in plan.stages if stage.stage == "evaluate"), 3600)
    plan = make_plan(grid)
    assert [stage.stage for stage in plan.open] == ["evaluate"]
    found = {shape: estimate(plan, shape) for shape in ("1x8:H100", "1x2:H100", "1x1:H100")}
    held = {shape: one.hours["GPU"].median / (one.seconds.median / 3600) for shape, one in found.items()}
    assert held == {"1x8:H100": pytest.approx(4), "1x2:H100": pytest.approx(2), "1x1:H100": pytest.approx(1)}


def test_kinds_without_networks_and_without_gpus_run_on_the_cpu() -> None:
    launch = Launch.model_validate({"stage_resources": {"detect": {"gpus": 0}}})
    found = [device_of(kind, launch, "H100") for kind in ("train", "detect", "search")]
    assert found == ["H100", "cpu", "cpu"]
    assert device_of("train", launch, None) == "cpu"


def test_an_estimate_is_json(make: Make) -> None:
    import json

    found = estimate(replace(tenth(make), costs=None), "1x1:H100")
    assert isinstance(found, Estimate)
    assert json.loads(json.dumps(found.record()))["hours"]["GPU"]["median"] == found.hours["GPU"].median

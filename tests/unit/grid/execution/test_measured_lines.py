"""What ``facegrid plan`` says of measured memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from small import finish, stages

from grid.execution.job import jobs_of, settings_of
from grid.execution.measured_lines import measured_lines
from grid.execution.memory_peak import GIB, Peak
from grid.execution.peaks import Peaks, key_of
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.grid_file import Grid

AXES = {
    "head": {"narrow": {"head.dimension": 8}, "wide": {"head.dimension": 16}},
    "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}},
}


@pytest.fixture
def planned(make: Callable[..., Grid]) -> Callable[..., Plan]:
    def planned(**resources: Any) -> Plan:
        launch = {"study": str(make().spec.launch.study), "resources": resources}
        return make_plan(make(axes=AXES, base={"head": "gap_bn"}, protocols=[], explainers=[], launch=launch))

    return planned


def know(plan: Plan, peak: Peak) -> None:
    """The peak of the first training."""
    (job,) = jobs_of(stages(plan, "train")[:1], store_of(plan.grid), **settings_of(plan.grid.spec.launch)).values()
    Peaks(plan.study).put(key_of(job), peak)


def test_nothing_where_nothing_is_measured(planned: Callable[..., Plan]) -> None:
    assert measured_lines(planned(gpus=0.5, memory_gib=3)) == []


@pytest.mark.parametrize("gpu", [False, True])
def test_parts_of_gpus_are_measured_where_there_are_gpus(
    gpu: bool, planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert bool(measured_lines(planned(gpus="measured"))) is gpu


def test_what_was_measured_on_a_gpu_is_not_known_of_a_cpu(
    planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(memory_gib="measured")
    know(plan, Peak(2 * GIB, 20 * GIB, 80 * GIB, "H100"))
    assert measured_lines(plan) == ["4 trainings: memory measured at launch, once for each of 2 kinds"]
    know(plan, Peak(2 * GIB, 0, 0, "cpu"))
    assert measured_lines(plan)[0] == "2 trainings: took 2.0 GiB of memory, so 2.7 GiB is reserved"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert measured_lines(plan) == ["4 trainings: memory measured at launch, once for each of 2 kinds"]


def test_what_is_known_and_what_a_launch_measures(planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    plan = planned(memory_gib="measured", gpus="measured")
    assert measured_lines(plan) == ["4 trainings: memory measured at launch, once for each of 2 kinds"]
    know(plan, Peak(2 * GIB, 20 * GIB, 80 * GIB, "H100"))
    assert measured_lines(plan) == [
        "2 trainings: took 2.0 GiB of memory and 20.0 of 80.0 GiB of a GPU, so 0.3333 GPU and 2.7 GiB are reserved",
        "2 trainings: memory measured at launch",
    ]
    assert measured_lines(planned(memory_gib="measured"))[0].endswith("of a GPU, so 2.7 GiB is reserved")
    for stage in stages(plan, "train")[1:]:
        finish(plan.grid, stage)
    assert len(measured_lines(make_plan(plan.grid))) == 1, "finished trainings need nothing"


def test_of_trainings_that_may_take_several_devices_only_memory_is_measured(
    make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def plan(**resources: str) -> Plan:
        launch = {"study": str(make().spec.launch.study), "resources": resources, "devices": "auto"}
        head = {"name": "gap_bn", "dropout": 0.0}
        base = {"head": head, "compute": {"devices": 2, "batch_norm": "synchronized"}}
        return make_plan(make(axes=AXES, base=base, protocols=[], explainers=[], launch=launch))

    assert measured_lines(plan(gpus="measured")) == []
    both = plan(gpus="measured", memory_gib="measured")
    assert measured_lines(both) == ["4 trainings: memory measured at launch, once for each of 2 kinds"]
    know(both, Peak(2 * GIB, 20 * GIB, 80 * GIB, "H100", several=True))
    words = "took 2.0 GiB of memory and 20.0 of 80.0 GiB of a GPU, so 1 GPU and 2.7 GiB are reserved for each device"
    assert measured_lines(both)[0] == f"2 trainings: {words}"

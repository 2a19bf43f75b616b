"""Durations of finished stages: of the plan, and of other studies in its store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from small import stages

from grid.execution.job import Job, RunOptions, begin
from grid.ledger.ledger import Ledger
from grid.plan import history
from grid.plan.history import duration_of, measured
from grid.plan.plan import Plan, make_plan, store_of
from grid.plan.workload import Workload, workloads
from grid.spec.grid_file import Grid


def end(
    plan: Plan,
    label: str = "train",
    device: str | None = "cpu",
    resumed: bool = False,
    facts: dict[str, Any] | None = None,
    **about: Any,
) -> float:
    """Finishes the first stage with that label; returns its duration."""
    stage = stages(plan, label)[0]
    attempt = Ledger(store_of(plan.grid)).begin(stage.stage, stage.id, stage.node.identity, about=about)
    attempt.clock -= 50
    if resumed:
        attempt.ledger.store.create(
            f"{attempt.prefix}/resumed.json", attempt.ledger.store.get(f"train/{stage.id}/identity.json") or b""
        )
    marker = attempt.finish(facts or {}, {}, stage.source, [], {"device": device} if device else {})
    return marker.finished - marker.started


def test_stages_of_the_plan_have_their_workload(make: Callable[..., Grid]) -> None:
    plan = make_plan(make())
    works = workloads(plan)
    assert measured(plan, works) == []
    seconds = end(plan)
    plan = make_plan(plan.grid)
    (one,) = measured(plan, works)
    assert (one.workload, one.device, one.seconds) == (works[stages(plan, "train")[0].id], "cpu", seconds)
    assert 50 <= seconds < 55


def test_what_went_on_from_a_checkpoint_or_names_no_device_is_no_measurement(make: Callable[..., Grid]) -> None:
    plan = make_plan(make())
    end(plan, resumed=True)
    end(plan, "evaluate:drawn", device=None)
    plan = make_plan(plan.grid)
    assert stages(plan, "train")[0].state == "done"
    assert measured(plan, workloads(plan)) == []


@pytest.mark.parametrize(("promoted", "count"), [(False, 0), ({"rank": 1, "of": 3}, 1)])
def test_a_trial_that_trained_nothing_is_no_measurement(make: Callable[..., Grid], promoted: Any, count: int) -> None:
    plan = make_plan(make())
    end(plan, facts={"promoted": promoted})
    plan = make_plan(plan.grid)
    assert len(measured(plan, workloads(plan))) == count


def test_of_many_stages_those_of_the_plan_are_read_first(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 1)
    for epochs in (3, 4, 5):
        end(make_plan(make(f"recipe.epochs={epochs}")), workload=Workload("train", "other", 1.0).record())
    plan = make_plan(make())
    works = workloads(plan)
    assert [one.workload.network for one in measured(plan, works)] == ["other"]
    end(plan)
    plan = make_plan(plan.grid)
    assert [one.workload for one in measured(plan, works)] == [works[stages(plan, "train")[0].id]]


def test_amounts_on_an_earlier_scale_are_not_compared(make: Callable[..., Grid]) -> None:
    """A stage of the plan has its amount of today, and one of another study tells nothing; trainings count as before."""
    plan = make_plan(make(axes={}))
    old = {"explain:gradcam": "explain gradcam", "train": "train"}
    for label, group in old.items():
        record = Workload(group, "alexnet", 7.0).record()
        end(plan, label, workload={key: value for key, value in record.items() if key != "scale"})
    work = Workload("explain gradcam", "alexnet", 9.0)
    found = duration_of(Ledger(store_of(plan.grid)), "explain", stages(plan, "explain:gradcam")[0].id, work)
    assert found is not None
    assert found.workload == work
    other = make_plan(make("recipe.epochs=5"))
    assert [one.workload.group for one in measured(other, workloads(other))] == ["train"]


def test_stages_of_other_studies_have_the_workload_of_their_claim(make: Callable[..., Grid]) -> None:
    """Another grid in the same store; what a version without workloads computed there tells nothing."""
    claimed = Workload("train", "resnet34", 7.0)
    first = make_plan(make(axes={}))
    end(first, workload=claimed.record())
    end(first, "explain:gradcam")
    other = make_plan(make("recipe.epochs=5"))
    assert not {stage.id for stage in other.stages} & {stages(first, "train")[0].id, stages(first, "explain:gradcam")[0].id}
    (one,) = measured(other, workloads(other))
    assert one.workload == claimed


def test_a_job_claims_its_workload_its_study_and_what_it_reserves(make: Callable[..., Grid]) -> None:
    plan = make_plan(make(axes={}))
    stage = stages(plan, "train")[0]
    work = workloads(plan)[stage.id]
    job = Job.of(stage, {}, store_of(plan.grid), study="me", workload=work.record())
    begin(job, RunOptions(reserved={"CPU": 2.0, "GPU": 0.0}))
    (claim,) = Ledger(store_of(plan.grid)).claims("train", stage.id)
    assert Workload(**claim["workload"]) == work
    assert (claim["study"], claim["reserved"]) == ("me", {"CPU": 2.0, "GPU": 0.0})
    assert "devices" not in claim, "its cell has one"


def test_a_training_on_other_devices_than_its_cell_says_is_no_measurement(make: Callable[..., Grid]) -> None:
    plan = make_plan(make())
    first, second = stages(plan, "train")[:2]
    for stage, taken in ((first, 1), (second, 2)):
        about = {"devices": taken, "cell_devices": 2}
        attempt = Ledger(store_of(plan.grid)).begin(stage.stage, stage.id, stage.node.identity, about=about)
        attempt.finish({}, {}, stage.source, [], {"device": "cpu"})
    plan = make_plan(plan.grid)
    works = workloads(plan)
    assert [one.workload for one in measured(plan, works)] == [works[second.id]]

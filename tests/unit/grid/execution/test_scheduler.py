"""The board: shared stages first, cells when they are ready, and nothing twice."""

from collections.abc import Callable, Mapping

import pytest
from small import SMALL, finish

from grid.execution.job import Outcome, jobs_of
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.grid_file import Grid

DATA = SMALL["base"]["data"]
AXES = {
    "detection": {"none": {"detector.name": "none"}, "mtcnn": {"detector.name": "mtcnn"}},
    "start": {
        "none": {"pretraining.name": "none"},
        "same": {"pretraining": {"name": "source", "data": DATA, "detector": "mtcnn", "epochs": 1}},
    },
}
DONE, FAILED = Outcome("done"), Outcome("failed", "ValueError: no")


@pytest.fixture
def grid(make: Callable[..., Grid]) -> Grid:
    return make(axes=AXES)


def queue(plan: Plan) -> WorkQueue:
    return queue_of(plan, jobs_of(plan.stages, store_of(plan.grid)))


def labels(work: Work) -> list[str]:
    return [job.label for job in work.jobs]


def cell_id(plan: Plan, detection: str, start: str) -> str:
    return next(str(cell.id) for cell in plan.cells if dict(cell.levels) == {"detection": detection, "start": start})


def stage_id(plan: Plan, label: str) -> str:
    return next(stage.id for stage in plan.stages if stage.label == label)


def drain(found: WorkQueue, how: Callable[[Work], Mapping[str, Outcome]]) -> list[Work]:
    """Takes all there is, one after the other; everything in ``needs`` must be there when work is taken."""
    taken = []
    while work := found.take():
        assert not work.needs & found.missing
        taken.append(work)
        found.end(work.id, how(work))
        assert len(taken) < 50
    return taken


def all_done(work: Work) -> dict[str, Outcome]:
    return {job.id: DONE for job in work.jobs}


def test_every_stage_is_computed_once(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    assert found.stages_to_run == len(plan.stages)
    taken = drain(found, all_done)
    assert sorted(job.id for work in taken for job in work.jobs) == sorted(stage.id for stage in plan.stages)
    assert found.finished
    assert not found.missing
    assert not found.failed
    assert set(found.done) == {work.id for work in taken}


def test_shared_stages_stand_alone_and_come_first(grid: Grid) -> None:
    taken = drain(queue(make_plan(grid)), all_done)
    kinds = [{job.kind for job in work.jobs} for work in taken]
    assert all(kind <= {"detect"} or kind == {"pretrain"} or kind == {"train", "evaluate", "explain"} for kind in kinds)
    first = kinds.index({"train", "evaluate", "explain"})
    assert {"detect"} not in kinds[first:]
    assert {"pretrain"} not in kinds[first:]


def test_a_cell_waits_for_what_it_needs(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    taken = []
    while work := found.take():
        taken.append(work)
    assert {label for work in taken for label in labels(work)} == {
        "detect:data",
        "detect:drawn",
        "train",
        "evaluate:drawn",
        "explain:gradcam",
    } or {label for work in taken for label in labels(work)} == {
        "detect:source",
        "detect:drawn",
        "train",
        "evaluate:drawn",
        "explain:gradcam",
    }  # fmt: skip - one detection, called after the use that came first
    assert [work.id for work in taken if "train" in labels(work)] == [cell_id(plan, "none", "none")]
    assert not found.finished


def test_a_complete_grid_has_an_empty_board(grid: Grid) -> None:
    from collections import deque

    ledger = Ledger(store_of(grid))
    plan = make_plan(grid)
    kinds = {stage.id: stage.stage for stage in plan.stages}
    waiting = deque(plan.stages)
    while waiting:
        stage = waiting.popleft()
        markers = {need: ledger.marker(kinds[need], need) for need in stage.needs}
        if not all(markers.values()):
            waiting.append(stage)
            continue
        attempt = ledger.begin(stage.stage, stage.id, {})
        attempt.finish({}, {need: marker.content for need, marker in markers.items() if marker}, stage.source, [])
    found = queue(make_plan(grid))
    assert (found.waiting, found.missing, found.finished, found.stages_to_run) == ({}, set(), True, 0)
    assert set(found.spare) == {id for id, kind in kinds.items() if kind in ("detect", "pretrain")}


def test_a_failed_shared_stage_fails_what_needs_it_and_nothing_else(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    shared = next(stage.id for stage in plan.stages if stage.label in ("detect:data", "detect:source"))
    drain(found, lambda work: {shared: FAILED} if work.id == shared else all_done(work))
    assert cell_id(plan, "none", "none") in found.done
    cells = {cell_id(plan, "mtcnn", "none"), cell_id(plan, "mtcnn", "same"), cell_id(plan, "none", "same")}
    assert set(found.failed) == {shared, stage_id(plan, "pretrain"), *cells}
    assert found.failed[shared] == "ValueError: no"
    assert all("it needs " in found.failed[cell] for cell in cells)
    assert found.finished


def test_a_failed_training_fails_its_cell_alone(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    one = cell_id(plan, "mtcnn", "none")
    drain(found, lambda work: {work.jobs[0].id: FAILED} if work.id == one else all_done(work))
    assert found.failed == {one: "ValueError: no"}
    assert len(found.done) == 6
    assert found.finished


def test_an_earlier_failure_is_not_tried_again(grid: Grid) -> None:
    plan = make_plan(grid)
    ledger = Ledger(store_of(grid))
    one = next(cell for cell in plan.cells if cell.id == cell_id(plan, "none", "none"))
    ledger.begin("train", one.stages["train"], {}).fail("ValueError: no", "", deterministic=True)
    found = queue(make_plan(grid))
    assert one.id not in found.waiting
    ledger.forgive("train", one.stages["train"])
    assert one.id in queue(make_plan(grid)).waiting


def test_an_earlier_failure_of_a_shared_stage_holds_back_what_needs_it(grid: Grid) -> None:
    plan = make_plan(grid)
    shared = next(stage.id for stage in plan.stages if stage.label in ("detect:data", "detect:source"))
    Ledger(store_of(grid)).begin("detect", shared, {}).fail("ValueError: no", "", deterministic=True)
    found = queue(make_plan(grid))
    taken = drain(found, all_done)
    assert shared not in {job.id for work in taken for job in work.jobs}
    assert [work.id for work in taken if "train" in labels(work)] == [cell_id(plan, "none", "none")]
    assert found.finished
    assert not found.waiting, "what needs a pretraining that needs the failed stage waits for nothing"


def test_a_failed_evaluation_leaves_the_other_stages_of_its_cell(grid: Grid) -> None:
    plan = make_plan(grid)
    ledger = Ledger(store_of(grid))
    one = next(cell for cell in plan.cells if cell.id == cell_id(plan, "none", "none"))
    ledger.begin("evaluate", one.stages["evaluate:drawn"], {}).fail("ValueError: no", "", deterministic=True)
    assert labels(queue(make_plan(grid)).waiting[str(one.id)]) == ["train", "explain:gradcam"]


def test_a_damaged_input_is_computed_again_before_what_needs_it(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    shared = stage_id(plan, "detect:drawn")
    one = cell_id(plan, "mtcnn", "none")
    struck = []

    def how(work: Work) -> Mapping[str, Outcome]:
        if work.id == one and not struck:
            struck.append(work.id)
            return {work.jobs[0].id: DONE, work.jobs[1].id: Outcome("damaged", "its digest differs", ("detect", shared))}
        return all_done(work)

    order = [work.id for work in drain(found, how)]
    assert order.count(shared) == 2
    assert order.count(one) == 2
    assert order.index(one) < len(order) - 1 - order[::-1].index(shared) < len(order) - 1 - order[::-1].index(one)
    assert not found.failed
    assert found.finished


def test_an_input_that_is_damaged_over_and_over_fails_the_cell(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    shared = stage_id(plan, "detect:drawn")
    one = cell_id(plan, "mtcnn", "none")
    bad = Outcome("damaged", "its digest differs", ("detect", shared))
    order = [work.id for work in drain(found, lambda work: {work.jobs[1].id: bad} if work.id == one else all_done(work))]
    assert order.count(one) == 3
    assert found.failed == {one: "its digest differs"}


def test_a_damaged_model_is_trained_again_by_its_own_cell(grid: Grid) -> None:
    plan = make_plan(grid)
    found = queue(plan)
    one = next(cell for cell in plan.cells if cell.id == cell_id(plan, "none", "none"))
    train = one.stages["train"]
    struck: list[str] = []

    def how(work: Work) -> Mapping[str, Outcome]:
        if work.id == one.id and not struck:
            struck.append(train)
            return {train: DONE, one.stages["evaluate:drawn"]: Outcome("damaged", "gone", ("train", train))}
        return all_done(work)

    order = [work.id for work in drain(found, how)]
    assert order.count(str(one.id)) == 2
    assert not found.failed


def test_a_job_survives_the_way_to_a_worker(grid: Grid) -> None:
    import json
    from dataclasses import asdict

    from grid.execution.job import Job
    from grid.plan.code_version import source_digest

    plan = make_plan(grid)
    nodes = {stage.id: stage.node for stage in plan.stages}
    for id, job in jobs_of(plan.stages, store_of(grid), workers=2).items():
        there = Job(**json.loads(json.dumps(asdict(job))))
        assert there == job
        assert there.configs() == dict(nodes[id].config)
        assert source_digest(there.kind, there.configs().values()) == job.source
        assert set(there.needs) == set(nodes[id].needs)


def test_a_score_of_an_explanation_that_failed_waits_until_somebody_retries_it(make: Callable[..., Grid]) -> None:
    explainers = [{"name": "gradcam", "images": 2, "scores": ["sanity"]}, {"name": "rise", "images": 2, "scores": ["sanity"]}]
    grid = make(axes={}, explainers=explainers)
    plan = make_plan(grid)
    id = stage_id(plan, "explain:gradcam")
    Ledger(store_of(grid)).begin("explain", id, {}).fail("ValueError: no", "", True)
    (work,) = drain(queue(make_plan(grid)), all_done)
    assert labels(work) == ["train", "evaluate:drawn", "explain:rise", "score:rise:sanity"]
    for stage in make_plan(grid).stages:
        if "gradcam" not in stage.label:
            finish(grid, stage)
    assert drain(queue(make_plan(grid)), all_done) == []
    assert make_plan(grid).open == []

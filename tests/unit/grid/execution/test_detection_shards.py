"""A detection cut into shards: each computed once, and the same table as in one go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small import SMALL

from datamodules.detection import Detections
from grid.execution.detection_shards import shards_of
from grid.execution.job import RunOptions, jobs_of, run
from grid.execution.scheduler import queue_of
from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.cell import DetectionShard, shard_id, shard_of
from grid.spec.grid_file import Grid

Make = Callable[..., Grid]
BASE = {**SMALL["base"], "data": {"name": "drawn", "subjects": 3, "shots": 4, "size": 64}, "detector": "mtcnn"}
ALONE = {"axes": {}, "base": BASE, "protocols": [], "explainers": []}


@pytest.fixture
def plan(make: Make) -> Plan:
    return make_plan(make("launch.detect_images=5", **ALONE))


def jobs(plan: Plan):
    found = jobs_of(plan.stages, store_of(plan.grid))
    return found, shards_of(plan, found)


def detect_of(plan: Plan):
    return next(stage for stage in plan.stages if stage.stage == "detect")


def finished(plan: Plan, job) -> Detections:
    outcome = run(job, RunOptions())
    assert outcome.ended == "done", outcome
    ledger = Ledger(store_of(plan.grid))
    return Detections.load(ledger.path(ledger.marker(job.kind, job.id), "detections.parquet"))


def test_pieces_cover_every_row_once(plan: Plan) -> None:
    _, shards = jobs(plan)
    (found,) = shards.values()
    assert [(job.config["detect_shard"]["start"], job.config["detect_shard"]["stop"]) for job in found] == [
        (0, 5),
        (5, 10),
        (10, 12),
    ]
    assert [job.label for job in found] == ["detect:data 1/3", "detect:data 2/3", "detect:data 3/3"]


def test_an_id_names_its_piece_and_its_detection() -> None:
    shard = DetectionShard(start=5, stop=10)
    assert shard_of(shard_id("ab" * 16, shard), "ab" * 16) == shard
    assert shard_of(shard_id("ab" * 16, shard), "cd" * 16) is None


def test_the_table_is_that_of_one_go_and_nothing_is_detected_twice(
    plan: Plan, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_jobs, shards = jobs(plan)
    stage = detect_of(plan)
    for job in reversed(shards[stage.id]):
        finished(plan, job)
    assert shards_of(plan, whole_jobs) == {stage.id: []}, "what is done is not to be done"
    from datamodules.detectors.mtcnn import Mtcnn

    with monkeypatch.context() as patch:
        patch.setattr(Mtcnn, "detect", lambda self, images: pytest.fail("the shards have all rows"))
        table = finished(plan, whole_jobs[stage.id])
    other = make_plan(make(f"launch.store={tmp_path / 'other'}", **ALONE))
    alone, none = jobs(other)
    assert none == {}
    assert detect_of(other).id == stage.id
    assert finished(other, alone[stage.id]).digest == table.digest
    assert table.found.any()


def test_a_piece_that_is_damaged_is_detected_again(plan: Plan) -> None:
    whole_jobs, shards = jobs(plan)
    stage = detect_of(plan)
    first = shards[stage.id][0]
    finished(plan, first)
    ledger = Ledger(store_of(plan.grid))
    ledger.path(ledger.marker("detect_shard", first.id), "detections.parquet").write_bytes(b"x")
    assert [job.id for job in shards_of(plan, whole_jobs)[stage.id]] == [job.id for job in shards[stage.id]]
    assert len(finished(plan, whole_jobs[stage.id])) == 12, "and without its shards, the stage computes all by itself"


def test_on_the_board_pieces_go_before_their_detection(plan: Plan) -> None:
    whole_jobs, shards = jobs(plan)
    stage = detect_of(plan)
    queue = queue_of(plan, whole_jobs, shards)
    taken = []
    while work := queue.take():
        taken.append(work)
    assert [work.id for work in taken] == [job.id for job in shards[stage.id]]
    assert taken[0].title.startswith("detect:data 1/3, of detect:data")
    from grid.execution.job import Outcome

    queue.end(taken[0].id, {taken[0].id: Outcome("done")})
    queue.end(taken[1].id, {taken[1].id: Outcome("done")})
    assert queue.take() is None
    queue.end(taken[2].id, {taken[2].id: Outcome("done")})
    assert queue.take().id == stage.id


def test_a_piece_that_fails_fails_what_needs_it(plan: Plan) -> None:
    whole_jobs, shards = jobs(plan)
    from grid.execution.job import Outcome

    queue = queue_of(plan, whole_jobs, shards)
    work = queue.take()
    queue.end(work.id, {work.id: Outcome("failed", "ValueError: no")})
    assert detect_of(plan).id in queue.failed
    assert queue.stages_to_run == 2, "the other shards can still be computed"

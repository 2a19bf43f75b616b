"""A detection cut into pieces: each computed once, and the same table as in one go."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small import SMALL

from datamodules.detection import Detections
from grid.cell import Piece, piece_id, piece_of
from grid.ledger import Ledger
from grid.pieces import pieces_of
from grid.plan import Plan, make_plan, store_of
from grid.spec import Grid
from grid.trial import Surroundings, jobs_of, run
from grid.work import board_of

Make = Callable[..., Grid]
BASE = {**SMALL["base"], "data": {"name": "drawn", "persons": 3, "shots": 4, "size": 64}, "detector": "mtcnn"}
ALONE = {"axes": {}, "base": BASE, "protocols": [], "explainers": []}


@pytest.fixture
def plan(make: Make) -> Plan:
    return make_plan(make("launch.detect_images=5", **ALONE))


def jobs(plan: Plan):
    found = jobs_of({stage.id: stage for stage in plan.stages}, store_of(plan.grid))
    return found, pieces_of(plan, found)


def detect_of(plan: Plan):
    return next(stage for stage in plan.stages if stage.stage == "detect")


def finished(plan: Plan, job) -> Detections:
    outcome = run(job, Surroundings())
    assert outcome.ended == "done", outcome
    ledger = Ledger(store_of(plan.grid))
    return Detections.load(ledger.path(ledger.marker(job.kind, job.id), "detections.parquet"))


def test_pieces_cover_every_row_once(plan: Plan) -> None:
    _, pieces = jobs(plan)
    (found,) = pieces.values()
    assert [(job.config["piece"]["start"], job.config["piece"]["stop"]) for job in found] == [(0, 5), (5, 10), (10, 12)]
    assert [job.label for job in found] == ["detect:data 1/3", "detect:data 2/3", "detect:data 3/3"]


def test_an_id_names_its_piece_and_its_detection() -> None:
    piece = Piece(start=5, stop=10)
    assert piece_of(piece_id("ab" * 16, piece), "ab" * 16) == piece
    assert piece_of(piece_id("ab" * 16, piece), "cd" * 16) is None


def test_the_table_is_that_of_one_go_and_nothing_is_detected_twice(
    plan: Plan, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_jobs, pieces = jobs(plan)
    stage = detect_of(plan)
    for job in reversed(pieces[stage.id]):
        finished(plan, job)
    assert pieces_of(plan, whole_jobs) == {stage.id: []}, "what is done is not to be done"
    from datamodules.detectors.mtcnn import Mtcnn

    with monkeypatch.context() as patch:
        patch.setattr(Mtcnn, "detect", lambda self, images: pytest.fail("the pieces have all rows"))
        table = finished(plan, whole_jobs[stage.id])
    other = make_plan(make(f"launch.store={tmp_path / 'other'}", **ALONE))
    alone, none = jobs(other)
    assert none == {}
    assert detect_of(other).id == stage.id
    assert finished(other, alone[stage.id]).digest == table.digest
    assert table.found.any()


def test_a_piece_that_is_damaged_is_detected_again(plan: Plan) -> None:
    whole_jobs, pieces = jobs(plan)
    stage = detect_of(plan)
    first = pieces[stage.id][0]
    finished(plan, first)
    ledger = Ledger(store_of(plan.grid))
    ledger.path(ledger.marker("piece", first.id), "detections.parquet").write_bytes(b"x")
    assert [job.id for job in pieces_of(plan, whole_jobs)[stage.id]] == [job.id for job in pieces[stage.id]]
    assert len(finished(plan, whole_jobs[stage.id])) == 12, "and without its pieces, the stage computes all by itself"


def test_on_the_board_pieces_go_before_their_detection(plan: Plan) -> None:
    whole_jobs, pieces = jobs(plan)
    stage = detect_of(plan)
    board = board_of(plan, whole_jobs, pieces)
    taken = []
    while work := board.take():
        taken.append(work)
    assert [work.id for work in taken] == [job.id for job in pieces[stage.id]]
    assert taken[0].title.startswith("detect:data 1/3, of detect:data")
    from grid.trial import Outcome

    board.end(taken[0].id, {taken[0].id: Outcome("done")})
    board.end(taken[1].id, {taken[1].id: Outcome("done")})
    assert board.take() is None
    board.end(taken[2].id, {taken[2].id: Outcome("done")})
    assert board.take().id == stage.id


def test_a_piece_that_fails_fails_what_needs_it(plan: Plan) -> None:
    whole_jobs, pieces = jobs(plan)
    from grid.trial import Outcome

    board = board_of(plan, whole_jobs, pieces)
    work = board.take()
    board.end(work.id, {work.id: Outcome("failed", "ValueError: no")})
    assert detect_of(plan).id in board.failed
    assert board.stages_to_run == 2, "the other pieces can still be computed"

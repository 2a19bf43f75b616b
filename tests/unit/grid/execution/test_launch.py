"""What a launch voids before it starts: what its plan saw to be wrong, and nothing that others finished since."""

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from small import finish, finish_all, stages

from grid.abort import LaunchAborted
from grid.execution.executor import Executor, Session
from grid.execution.launch import _retry, launch, ran_words, refused_explanations, summary, void_changed
from grid.execution.perform import perform
from grid.execution.refusals import refusals
from grid.execution.scheduler import queue_of
from grid.ledger.ledger import Cause, Ledger, State
from grid.ledger.study import COPY, RECORD, Study, read_record, write_record
from grid.plan.plan import Plan, make_plan, store_of, study_of
from grid.plan.study_record import write_plan
from grid.spec.grid_file import BadInput, Grid

Make = Callable[..., Grid]


def counted(plan: Plan) -> int:
    """Markers that count."""
    ledger = Ledger(store_of(plan.grid))
    return sum(ledger.marker(stage.stage, stage.id) is not None for stage in plan.stages)


def test_what_another_launch_finished_since_the_plan_is_not_voided(make: Make) -> None:
    grid = make()
    plan = make_plan(grid)
    assert len(plan.open) == len(plan.stages)
    finish_all(grid)  # by another launch over the same store
    void_changed(plan, Ledger(store_of(grid)))
    assert counted(plan) == len(plan.stages)


def test_what_another_launch_made_good_since_the_plan_is_not_voided(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    ledger = Ledger(store_of(grid))
    (train,) = stages(make_plan(grid), "train")
    damaged = next(ledger.store.local(f"train/{train.id}").glob("0*/output"))
    damaged.write_text("other")
    plan = make_plan(grid)
    assert {stage.label for stage in plan.open} == {"train"}
    void_changed(plan, ledger)  # by another launch
    finish(grid, train)
    void_changed(plan, ledger)  # by ours
    assert make_plan(grid).counts() == {"done": 1}


def test_what_is_damaged_or_made_from_other_inputs_is_voided(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    ledger = Ledger(store_of(grid))
    (train,) = stages(make_plan(grid), "train")
    ledger.void("train", train.id, "for the test")
    finish(grid, train, "another model")
    plan = make_plan(grid)
    assert {stage.label for stage in plan.open} == {"evaluate:drawn", "explain:gradcam"}
    void_changed(plan, ledger)
    assert counted(plan) == 1


def test_what_waits_for_its_input_keeps_its_marker_until_that_is_known(make: Make) -> None:
    grid = make(axes={})
    finish_all(grid)
    ledger = Ledger(store_of(grid))
    (train,) = stages(make_plan(grid), "train")
    ledger.void("train", train.id, "by another launch, which computes it again")
    plan = make_plan(grid)
    void_changed(plan, ledger)
    finish(grid, train)  # the same again
    assert make_plan(grid).counts() == {"done": 1}


def test_retry_stale_voids_what_the_plan_saw(make: Make) -> None:
    grid = make(axes={})
    for stage in make_plan(grid).stages:
        finish(grid, stage, source="older" if stage.stage == "train" else None)
    plan = make_plan(grid)
    again = _retry(plan, ["stale"])
    assert [(stage.label, stage.state) for stage in again.open if stage.label == "train"] == [("train", "run")]
    (train,) = stages(plan, "train")
    finish(grid, train)
    _retry(plan, ["stale"])  # of a launch that planned before
    assert make_plan(grid).counts() == {"done": 1}


@pytest.mark.parametrize("name", ["metrics", "facts"])
def test_a_flipped_byte_voids_and_computes_again(make: Make, name: str) -> None:
    grid = make(axes={})
    finish_all(grid)
    ledger = Ledger(store_of(grid))
    (evaluate,) = stages(make_plan(grid), "evaluate:drawn")
    folder = ledger.store.local(f"evaluate/{evaluate.id}")
    path = next(folder.glob("0*/output")) if name == "metrics" else folder / "done-000.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    status = ledger.status("evaluate", evaluate.id)
    assert (status.state, status.cause) == (State.RUN, Cause.DAMAGE)
    plan = make_plan(grid)
    assert [stage.label for stage in plan.open] == ["evaluate:drawn"]
    void_changed(plan, ledger)
    finish(grid, evaluate)
    assert make_plan(grid).counts() == {"done": 1}


def test_damaged_identities_are_written_again(make: Make) -> None:
    grid = make(axes={})
    plan = finish_all(grid)
    ledger = Ledger(store_of(grid))
    (train,) = stages(plan, "train")
    before = ledger.identity("train", train.id)
    assert before
    for damage in (b"", b"{", b'{"a": 1}x'):
        ledger.store.put(f"train/{train.id}/identity.json", damage)
        void_changed(plan, ledger)
        assert ledger.identity("train", train.id) == before


def test_a_launch_writes_a_damaged_record_again_and_keeps_the_study_s_id(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    from grid.plan.study_record import write_plan

    grid = make(axes={})
    plan = make_plan(grid)
    id = write_plan(plan, grid)["study_id"]
    (plan.study / RECORD).write_bytes(b"{")
    assert write_plan(plan, grid)["study_id"] == id
    assert len(caplog.records) == 1
    (plan.study / RECORD).unlink()
    assert write_plan(plan, grid)["study_id"] == id
    for name in (RECORD, COPY):
        (plan.study / name).write_bytes(b"{")
    write_plan(plan, grid)  # another study to MLflow, but one that works
    assert read_record(plan.study)


def test_a_launch_that_computes_nothing_leaves_the_time_and_revision_of_the_one_that_did(make: Make) -> None:
    from grid.plan.study_record import write_plan

    grid = make(axes={})
    first = write_plan(make_plan(grid), grid)
    earlier = {**first, "launched": 1.0, "revision": "abc", "version": "0.0"}
    write_record(make_plan(grid).study, earlier)
    whole = finish_all(grid)
    assert not whole.open
    again = write_plan(whole, grid)
    assert [again[key] for key in ("launched", "revision", "version")] == [1.0, "abc", "0.0"]
    changed = make("recipe.lr=0.5", axes={})
    assert write_plan(make_plan(changed), changed)["launched"] > 1.0


@pytest.mark.slow
def test_a_launch_resolves_each_cell_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --retry, shards of detections and the record of the study."""
    import grid.plan.plan as room

    asked: list[str] = []
    resolve = room.stages_of

    def spy(cell: object, facts: object) -> object:
        asked.append(str(id(cell)))
        return resolve(cell, facts)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "stages_of", spy)
    grid = make("launch.executor=local", axes={}, protocols=[], explainers=[])
    assert launch(grid, None, ["failed", "stale"], Console(quiet=True)) == 0
    assert len(asked) == 1
    assert launch(grid, None, [], Console(quiet=True)) == 0
    assert len(asked) == 2


def test_explanations_that_gave_no_maps_are_told_once_with_the_number_of_cells(make: Make) -> None:
    grid = make()
    finish_all(grid)
    plan = make_plan(grid)
    write_plan(plan, grid)
    cells = Study(plan.study).cells
    assert refused_explanations(cells) == []
    name = next(name for name in cells[0].names if name.kind == "explain")
    facts = {"refused": {"code": "no_reference", "reason": "nothing is held out"}}
    views = [replace(cell, markers={name: replace(cell.markers[name], facts=facts)}) for cell in cells]
    assert refused_explanations(views) == [f"{name} in {len(cells)} of {len(cells)} cells: nothing is held out"]


def test_every_failure_of_a_cell_is_printed_in_full(make: Make) -> None:
    grid = make(axes={})
    plan = make_plan(grid)
    write_plan(plan, grid)
    (train,) = stages(plan, "train")
    finish(grid, train)
    ledger = Ledger(store_of(grid))
    for label in ("evaluate:drawn", "explain:gradcam"):
        (stage,) = stages(plan, label)
        ledger.begin(stage.stage, stage.id, {}).fail(f"ValueError: {label} {'x' * 300} end", "", deterministic=True)
    study, console = Study(study_of(grid)), Console(width=80, record=True, quiet=False, file=io.StringIO())
    assert summary(study, study_of(grid) / "report/index.html", console, "2 stages ran", queue_of(make_plan(grid), {})) == 1
    said = " ".join(console.export_text().split())
    for label in ("evaluate:drawn", "explain:gradcam"):
        assert said.count(f"{label}: ValueError: {label} x") == 1
    assert said.count(" end ") == 2
    (cell,) = study.cells
    assert cell.reason is not None
    assert cell.reason.endswith("end; failed too: explain:gradcam")


def test_what_ran_is_counted_without_what_did_not() -> None:
    assert [ran_words(0), ran_words(1), ran_words(5), ran_words(5, 2)] == [
        *("nothing had to run", "1 stage ran", "5 stages ran", "3 of 5 stages ran")
    ]
    assert ran_words(5, 0, 3) == "2 of 5 stages ran, and 3 in another launch or worker"
    assert ran_words(5, 1, 4) == "0 of 5 stages ran, and 4 in another launch or worker"


class OneOnly(Executor):
    """Runs one unit of work, and returns."""

    def run(self, session: Session) -> None:
        work = session.take()
        assert work is not None
        session.end(work, perform(work.jobs, partial(session.report, work)))


def test_without_running_anything_a_launch_says_what_a_plan_says_of_one_that_would(make: Make) -> None:
    grid = make("launch.notify=nope", "launch.store=memory://written", axes={})
    console = Console(width=300, file=io.StringIO())
    assert launch(grid, None, [], console, no_run=True) == 0
    assert (study_of(grid) / RECORD).exists()
    said = console.file.getvalue()  # type: ignore[attr-defined]
    found = refusals(make_plan(grid))
    assert [line.partition(" ")[0] for line in found] == ["launch.store", "launch.notify:"]
    assert all(f"a launch would be refused: {line}\n" in said for line in found)


def test_wrong_claims_are_told_before_the_study_is_changed(make: Make, tmp_path: Path) -> None:
    grid = make(launch={"claims": str(tmp_path / "none.yaml"), "study": str(tmp_path / "study")})
    with pytest.raises(BadInput, match=r"launch.claims: .*none.yaml: no such file of claims"):
        launch(grid, None, [], Console(file=io.StringIO()))
    assert not (tmp_path / "study").exists()


def test_a_cluster_that_does_not_answer_is_told_before_the_study_is_changed(make: Make, tmp_path: Path) -> None:
    grid = make(launch={"address": "127.0.0.1:1", "study": str(tmp_path / "study")})
    with pytest.raises(BadInput, match=r"launch.address '127.0.0.1:1': no Ray cluster answers there"):
        launch(grid, None, [], Console(quiet=True))
    assert not (study_of(grid) / RECORD).exists()
    ledger = Ledger(store_of(grid))
    assert not any(ledger.attempts(stage.stage, stage.id) for stage in make_plan(grid).stages)


def test_an_executor_that_returns_too_early_leaves_no_launch_that_looks_done(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # its study is in the current folder
    monkeypatch.setitem(sys.modules, "too_early", SimpleNamespace(OneOnly=OneOnly))
    grid = make(launch={"executor": "too_early.OneOnly"}, explainers=[])
    with pytest.raises(
        LaunchAborted, match=r"'too_early.OneOnly' returned with \d+ stages left to run; .* same command goes on"
    ):
        launch(grid, None, [], Console(quiet=True))
    states = [stage.state for stage in make_plan(grid).stages]
    assert set(states) == {"done", "run"}

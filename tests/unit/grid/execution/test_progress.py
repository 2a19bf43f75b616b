"""The lines of a launch that does not run on a terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from grid.execution.detection_shards import shards_of
from grid.execution.job import Job, jobs_of
from grid.execution.progress import Display
from grid.execution.scheduler import Work, WorkQueue, queue_of
from grid.ledger.ledger import Ledger
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid


def test_a_stage_begins_waits_and_ends_with_one_line_each(tmp_path: Path) -> None:
    job = Job(kind="train", id="a", label="train", needs={}, identity={}, config={}, source="", store=str(tmp_path))
    work = Work("one", "cell one", (job,), frozenset())
    queue = WorkQueue({"one": work}, {"a"})
    written = io.StringIO()
    with Display(queue, Console(file=written, width=30), 1, 0) as display:
        queue.start(work)
        display.watch(work, "train", {})
        display.watch(work, "train", {"waiting": "waits for what another process computes: train by me@here"})
        display.watch(work, "train", {"waiting": "waits for what another process computes: train by me@here"})
        display.watch(work, "train", {"epochs": 2, "epoch": 0})
        assert "waiting" not in display.rows["one"][1]
        queue.running.pop("one")
        queue.done.append("one")
        display.ended(work)
    assert [line.split(" ", 1)[1] for line in written.getvalue().splitlines()] == [
        "cell one: train",
        "cell one: waits for what another process computes: train by me@here",
        "1/1 cell one: done",
    ]


def test_work_without_a_recorded_failure_is_unfinished_as_in_the_table_and_a_reason_is_printed_once(tmp_path: Path) -> None:
    works, ledger = {}, Ledger(tmp_path)
    for id in "abc":
        job = Job(kind="train", id=id, label="train", needs={}, identity={}, config={}, source="", store=str(tmp_path))
        works[id] = Work(id, f"cell {id}", (job,), frozenset())
    ledger.begin("train", "c", {}).fail("ValueError: no", "", deterministic=True)
    queue, written = WorkQueue(dict(works), set("abc")), io.StringIO()
    with Display(queue, Console(file=written, width=30), 3, 0) as display:
        for id, error in {"a": "no space left", "b": "no space left", "c": "ValueError: no"}.items():
            queue.start(works[id])
            queue.fail(works[id], error)
            display.ended(works[id])
    assert [line.split(" ", 2)[2] for line in written.getvalue().splitlines()] == [
        "cell a: unfinished: no space left",
        "cell b: unfinished: for the same reason",
        "cell c: failed: ValueError: no",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_a_shared_stage_and_its_parts_are_named_once(make: Callable[..., Grid], terminal: bool) -> None:
    axes = {"rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}}}
    plan = make_plan(make("launch.detect_images=9", axes=axes, base={"detector": {"name": "mtcnn", "margin": 8}}))
    jobs = jobs_of(plan.stages, store_of(plan.grid))
    queue = queue_of(plan, jobs, shards_of(plan, jobs))
    written = io.StringIO()
    console = Console(file=written, width=200, force_terminal=terminal, color_system=None)
    display = Display(queue, console, 2, 0)
    titles = ["detect:data 1/2, of detect:data (2 cells)", "detect:data 2/2, of detect:data (2 cells)", "detect:data (2 cells)"]
    for work in list(queue.waiting.values())[:3]:
        queue.start(work)
        display.watch(work, work.jobs[0].label, {})
    assert [work.title for work in queue.running.values()] == titles
    if terminal:
        console.print(display._draw())
    lines = [line for line in written.getvalue().splitlines() if "detect" in line]
    assert [line.count("detect:data") for line in lines] == [2, 2, 1], lines


@pytest.mark.parametrize(("number", "words"), [(1, "0 of 1 unit of work · 1 cell, 0 done before"), (2, "0 of 2 units of work")])
def test_the_live_table_counts_units_and_cells(number: int, words: str) -> None:
    works = {str(one): Work(str(one), "cell", (), frozenset()) for one in range(number)}
    written = io.StringIO()
    with Display(
        WorkQueue(works, set(works)), Console(file=written, width=120, force_terminal=True, color_system=None), number, 0
    ):
        pass
    assert words in written.getvalue()

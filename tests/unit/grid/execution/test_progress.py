"""The lines of a launch that does not run on a terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from grid.execution.job import Job
from grid.execution.progress import Display
from grid.execution.scheduler import Work, WorkQueue


def test_a_stage_begins_waits_and_ends_with_one_line_each(tmp_path: Path) -> None:
    job = Job(kind="train", id="a", label="train", needs={}, identity={}, config={}, source="", store=str(tmp_path))
    work = Work("a", "cell one", (job,), frozenset())
    queue = WorkQueue({"a": work}, {"a"})
    written = io.StringIO()
    with Display(queue, Console(file=written, width=30), 1, 0) as display:
        queue.start(work)
        display.watch(work, "train", {})
        display.watch(work, "train", {"waiting": "waits for what another process computes: train by me@here"})
        display.watch(work, "train", {"waiting": "waits for what another process computes: train by me@here"})
        display.watch(work, "train", {"epochs": 2, "epoch": 0})
        assert "waiting" not in display.rows["a"][1]
        queue.running.pop("a")
        queue.done.append("a")
        display.ended(work)
    assert [line.split(" ", 1)[1] for line in written.getvalue().splitlines()] == [
        "cell one: train",
        "cell one: waits for what another process computes: train by me@here",
        "1/1 cell one: done",
    ]


@pytest.mark.parametrize(("number", "words"), [(1, "0 of 1 unit of work · 1 cell, 0 done before"), (2, "0 of 2 units of work")])
def test_the_live_table_counts_units_and_cells(number: int, words: str) -> None:
    works = {str(one): Work(str(one), "cell", (), frozenset()) for one in range(number)}
    written = io.StringIO()
    with Display(
        WorkQueue(works, set(works)), Console(file=written, width=120, force_terminal=True, color_system=None), number, 0
    ):
        pass
    assert words in written.getvalue()

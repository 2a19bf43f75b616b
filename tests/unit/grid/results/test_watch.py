"""`status --watch`: lines of what changes where there is no terminal, and its end."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console

from grid.ledger.lock import Lock
from grid.ledger.study import Study
from grid.results.watch import watch

Make = Callable[..., Study]


def made(make_study: Make) -> tuple[Study, Lock]:
    study = make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60, explainers=()
    )
    id = study.cells[1].stages["train"]
    return study, Lock(study.ledger.store, "train", prefix=f"train/{id}/lease")


def followed(study: Study, lock: Lock, console: Console) -> list[str]:
    """The lines of a worker that begins between two looks and dies between two others."""
    looks = 0

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            study.ledger.begin("train", study.cells[1].stages["train"], {"stage": "train"}, device="cpu")
            lock.__enter__()
        if looks == 4:
            lock.__exit__(None, None, None)
        assert looks < 20

    watch(study.path, console, sleep=sleep)
    assert looks == 5, "one look in which nothing runs is not the end: a worker may be between two stages"
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_pipe_gets_one_line_per_change(make_study: Make) -> None:
    study, lock = made(make_study)
    lines = followed(study, lock, Console(file=io.StringIO(), width=300))
    assert len(lines) == 2
    assert "1 done, 1 to run; " in lines[0]
    assert lines[1].partition(" ")[2].startswith(f"{study.cells[1].title}: train, attempt 2, began on ")
    assert lines[1].endswith(", cpu")


def test_a_terminal_shows_where_it_runs_and_is_cleared_at_the_end(make_study: Make) -> None:
    study, lock = made(make_study)
    text = "\n".join(followed(study, lock, Console(file=io.StringIO(), width=300, force_terminal=True, color_system=None)))
    assert "1 done, 1 running; " in text
    assert f"  {study.cells[1].title}: train, attempt 2" in text
    assert text.count("\x1b[2K") > 3


def test_a_finished_study_is_shown_once(make_study: Make) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    console = Console(file=io.StringIO(), width=300)

    def sleep(seconds: float) -> None:
        raise AssertionError("nothing to wait for")

    watch(study.path, console, sleep=sleep)
    assert len(console.file.getvalue().splitlines()) == 1  # type: ignore[attr-defined]

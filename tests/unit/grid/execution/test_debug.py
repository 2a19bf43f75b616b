import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from grid.execution.debug import QUICK, Lines, _words, debug
from grid.spec.grid_file import BadInput, Grid
from grid.spec.stage_name import StageName
from grid.stages.context import FAST_IMAGES, FAST_PAIRS, FAST_SUBJECTS

STOPPING = """
from typing import Any, Literal
from modules.losses.softmax import Softmax, SoftmaxConfig
class Config(SoftmaxConfig):
    name: Literal["stopping.loss"] = "stopping.loss"
    def build(self, dimension: int, classes: int) -> Any:
        return Stopping(dimension, classes, self)
class Stopping(Softmax):
    def forward(self, *arguments: Any) -> Any:
        breakpoint()
        return super().forward(*arguments)
"""


def complaint(grid: Grid, **where: list[str]) -> str:
    with pytest.raises(BadInput) as error:
        debug(grid, where, fast=True, again=False, console=Console(quiet=True))
    return str(error.value)


def test_several_cells_are_answered_with_a_where_that_can_be_pasted(make: Callable[..., Grid]) -> None:
    axes = {"seed": {"a": {"seed": 0}, "b": {"seed": 1}}, "rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.1}}}
    said = complaint(make(axes=axes), seed=["b"])
    assert said == "debug runs one cell, and 2 are selected; choose one, such as --where seed=b,rate=low"


def test_a_skipped_cell_is_answered_with_its_reason(make: Callable[..., Grid]) -> None:
    axes = {"seed": {"a": {"seed": 0}, "b": {"seed": 1}}}
    said = complaint(make(axes=axes, skip=[{"when": {"seed": "b"}, "because": "too dear"}]), seed=["b"])
    assert said.endswith("too dear")


def test_facts_are_shown_short_and_without_digests() -> None:
    facts = {"auc": 0.6648888888888889, "network": "7693c474", "epochs": 2, "accuracy": None, "layer": ""}
    assert _words(facts) == "auc 0.6649, epochs 2"
    nested = {"metrics": {"loss": 0.7122891023755074, "none": None}, "hidden": [{"width": 4}, {"width": 8, "dropout": 1 / 3}]}
    assert _words(nested) == "metrics (loss 0.7123), hidden [(width 4), (width 8, dropout 0.3333)]"


def test_a_quick_check_says_how_little_it_computes() -> None:
    assert QUICK.startswith(
        f"each training takes one batch, from up to {FAST_IMAGES} images of each of {FAST_SUBJECTS} subjects"
    )
    assert "(from 32 subjects, if each has one image)" in QUICK
    assert f"about {FAST_PAIRS} pairs" in QUICK


def test_an_evaluation_that_a_quick_check_leaves_out_is_kept_with_its_reason() -> None:
    console = Console(width=200, file=io.StringIO())
    marker = SimpleNamespace(facts={"images": 8, "left_out": "no sample"}, outputs={}, id="e")
    ledger: Any = SimpleNamespace(marker=lambda kind, id: marker, path=print, json=print)
    lines = Lines(console, ledger, {"e": StageName("evaluate", "mylab.nearest")})
    lines.ended(SimpleNamespace(jobs=(SimpleNamespace(kind="evaluate", id="e", label="evaluate:mylab.nearest"),)))  # type: ignore[arg-type]
    assert (lines.metrics, lines.left_out) == ({}, {"mylab.nearest": "no sample"})
    assert console.file.getvalue() == "  evaluate:mylab.nearest: images 8\n"  # type: ignore[attr-defined]


def test_nothing_is_drawn_over_the_prompt_of_a_breakpoint(
    make: Callable[..., Grid], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, where a live display would redraw several times a second."""
    (tmp_path / "stopping").mkdir()
    (tmp_path / "stopping/loss.py").write_text(STOPPING)
    monkeypatch.syspath_prepend(tmp_path)
    terminal = io.StringIO()
    seen: list[tuple[str, str]] = []

    def prompt() -> None:
        before = terminal.getvalue()
        time.sleep(0.6)
        seen.append((before, terminal.getvalue()))

    monkeypatch.setattr(sys, "breakpointhook", prompt)
    cell = make(base={"loss": "stopping.loss"}, axes={}, explainers=[])
    debug(cell, None, fast=True, again=False, console=Console(file=terminal, force_terminal=True, width=200))
    assert seen
    for before, after in seen:
        assert before == after
        assert before.count("\x1b[?25l") == before.count("\x1b[?25h")  # no cursor is hidden
        assert before.endswith("\n")

"""The choice of a search: of the last rung, by validation."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from configs.lookup import resolve
from grid.spec.search import Search
from grid.stages.search import run

SEARCH = Search(trials=3, rungs=(1, 2), reduction=2)
HEADS = [head.model_dump(mode="json") for head in SEARCH.heads(resolve("head", "dense"))]


def chosen(folder: Path, *rows: tuple[int, int, float | Literal[False] | None], search: Search = SEARCH) -> tuple[Any, Any]:
    """(facts, table) after trainings of (trial, rung, value); False: not promoted, so not trained."""
    inputs = {
        f"trial {number}": SimpleNamespace(
            facts={
                "trial": trial, "rung": rung, "head": HEADS[trial], "parameters": 10, "epochs": rung + 1,
                "metrics": {"validation_loss": value, "validation_accuracy": value},
                **({"diverged": "nan"} if value is None else {}),
                **({"promoted": {"rank": 1, "of": 2}} if search.asynchronous and rung else {}),
            }
            if value is not False
            else {"trial": trial, "rung": rung, "promoted": False}
        )
        for number, (trial, rung, value) in enumerate(rows)
    }  # fmt: skip
    context: Any = SimpleNamespace(inputs=inputs, attempt=SimpleNamespace(path=folder))
    result = run({"search": search}, context)
    return result.facts, json.loads((folder / result.outputs[0]).read_text(encoding="utf-8"))


def test_the_best_of_the_last_rung_wins_even_if_one_was_better_before(tmp_path: Path) -> None:
    rows = [(0, 0, 0.1), (1, 0, 0.2), (2, 0, 0.3), (1, 1, 0.5)]
    facts, table = chosen(tmp_path, *rows)
    assert (facts["winner"], facts["head"], facts["validation_loss"]) == (2, HEADS[1], 0.5)
    assert [(row["trial"], row["rung"], row["epochs"]) for row in table["trials"]] == [(1, 1, 1), (2, 2, 2), (3, 1, 1)]


def test_an_accuracy_is_maximized(tmp_path: Path) -> None:
    rows = [(0, 0, 0.1), (1, 0, 0.1), (2, 0, 0.1), (0, 1, 0.5), (2, 1, 0.6)]
    assert chosen(tmp_path, *rows)[0]["winner"] == 1
    more = SEARCH.model_copy(update={"metric": "validation_accuracy"})
    assert chosen(tmp_path, *rows, search=more)[0]["winner"] == 3


def test_trials_that_were_not_promoted_are_no_results(tmp_path: Path) -> None:
    search = SEARCH.model_copy(update={"scheduler": "asha"})
    facts, table = chosen(
        tmp_path, (0, 0, 0.1), (1, 0, 0.2), (2, 0, 0.3), (0, 1, False), (1, 1, 0.5), (2, 1, False), search=search
    )
    assert facts["winner"] == 2
    assert [row["rung"] for row in table["trials"]] == [1, 2, 1]
    assert [row.get("promoted") for row in table["trials"]] == [None, {"rank": 1, "of": 2}, None]


def test_an_asynchronous_search_takes_the_last_rung_that_a_trial_ended(tmp_path: Path) -> None:
    """Few trials reach the last rung, and these may diverge there."""
    search = SEARCH.model_copy(update={"scheduler": "asha"})
    rows = [(0, 0, 0.3), (1, 0, 0.2), (2, 0, 0.4), (1, 1, None)]
    assert chosen(tmp_path, *rows, search=search)[0]["winner"] == 1
    with pytest.raises(ValueError, match="every trial of the last rung diverged"):
        chosen(tmp_path, *rows)
    with pytest.raises(ValueError, match="every trial of the last rung diverged; the first: nan"):
        chosen(tmp_path, (0, 0, None), (1, 0, None), search=search)


def test_there_is_no_winner_if_all_diverged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every trial of the last rung diverged; the first: nan"):
        chosen(tmp_path, (0, 0, None), (1, 0, None), (2, 0, None), (0, 1, None))

"""Searches in the report: a table of the trials of each, the chosen one first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grid.report.markdown import pipe_table, plain
from grid.results.searches import SearchView, Trial

NOTE = (
    "Trials are compared on validation images; test images play no part. A trial that was trained in a later rung was among "
    "the best of the rung before, with scheduler asha: of its results until then. Layers: width, activation and dropout of "
    "each, from the feature map to the embedding."
)


def ordered(search: SearchView) -> list[Trial]:
    """The trials: the chosen one, then by the last rung, the longest trained first, and within a rung the best first."""
    sign = -1 if search.search.maximizes else 1

    def key(trial: Trial) -> tuple[Any, ...]:
        value = trial.value
        return not trial.chosen, -trial.rung, value is None, 0.0 if value is None else sign * value, trial.number

    return sorted(search.trials, key=key)


def summary(search: SearchView) -> str:
    """Which search it is, and how far it has come."""
    rungs = ", ".join(f"{count} for {epochs}" for count, epochs in zip(search.reached, search.search.rungs, strict=True))
    return f"{search.title}: {search.progress}; trials by epochs: {rungs}"


def columns(search: SearchView) -> list[str]:
    """The titles of the columns of ``fields``."""
    return ["Trial", "Layers", "Parameters", search.metric[:1].upper() + search.metric[1:], "Rung", "Epochs", ""]


def fields(trial: Trial) -> list[str]:
    """A trial as a line of a table."""
    value = "diverged" if trial.facts.get("diverged") else "" if trial.value is None else f"{trial.value:.4f}"
    numbers = [f"{trial.facts['parameters']:,}", value, str(trial.rung), str(trial.facts["epochs"])]
    return [str(trial.number), trial.text, *numbers, "chosen" if trial.chosen else ""]


def searches_markdown(found: Sequence[SearchView], name: str) -> str:
    """A pipe table per search; ends with a line break."""
    lines = [f"# {plain(name)}: searches", "", NOTE]
    for search in found:
        lines += ["", f"## {plain(search.title)}", "", plain(summary(search)) + ".", ""]
        rows = ([*map(plain, fields(trial))] for trial in ordered(search))
        lines += pipe_table([*map(plain, columns(search))], rows, "rlrrrrl")
    return "\n".join(lines) + "\n"


def searches_json(found: Sequence[SearchView]) -> list[dict[str, Any]]:
    """Every search with its trials, as in ``report.json``."""
    return [
        {
            "id": search.id,
            "cells": [cell.id for cell in search.cells],
            "metric": search.search.metric,
            "rungs": list(search.search.rungs),
            "scheduler": search.search.scheduler,
            "trainings": search.planned,
            "done": search.done,
            "winner": search.winner.number if search.winner else None,
            "trials": [
                {
                    "trial": trial.number,
                    "layers": [dict(layer) for layer in trial.layers],
                    "parameters": trial.facts["parameters"],
                    "rung": trial.rung,
                    "epochs": trial.facts["epochs"],
                    "value": trial.value,
                    "diverged": trial.facts.get("diverged"),
                    "chosen": trial.chosen,
                    **({"promotions": trial.promotions} if search.search.asynchronous else {}),
                }
                for trial in search.trials
            ],
        }
        for search in found
    ]

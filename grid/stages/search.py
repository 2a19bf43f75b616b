"""Chooses the trial of the last rung that is best on the validation set.

With ``asha`` it is the last rung that a trial has ended with a finite loss: few may reach a rung, since it depends on timing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.spec.search import Search, layers_of
from grid.stages.asha import PROMOTED, trained
from grid.stages.context import Context, Result, write_json
from grid.stages.halving import ranked, value_of

TABLE = "search.json"


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``search.json``: every trial with its layers, the rungs that it was trained in, and its last metrics.

    Raises:
        ValueError: the loss of all trials in the last rung was not finite (with ``asha``: in all rungs).
    """
    search: Search = config["search"]
    last: dict[int, Mapping[str, Any]] = {}  # by trial: the facts of its last rung
    for number in range(len(context.inputs)):
        facts = context.inputs[f"trial {number}"].facts
        if trained(facts):
            last[facts["trial"]] = facts
    rung = len(search.rungs) - 1
    if search.asynchronous:
        rung = max((facts["rung"] for facts in last.values() if not facts.get("diverged")), default=0)
    finalists = [trial for trial, facts in last.items() if facts["rung"] == rung]
    values = {trial: value_of(last[trial], search.metric) for trial in finalists}
    winner = ranked(values, search.metric)[0]
    if values[winner] is None:
        raise ValueError(f"search: every trial of the last rung diverged; the first: {last[winner]['diverged']}")
    table = [
        {
            "trial": trial + 1,
            "layers": layers_of(facts["head"]),
            "parameters": facts["parameters"],
            "rung": facts["rung"] + 1,
            "epochs": facts["epochs"],
            **({"promoted": facts[PROMOTED]} if PROMOTED in facts else {}),
            "diverged": facts.get("diverged"),
            "metrics": facts["metrics"],
        }
        for trial, facts in sorted(last.items())
    ]
    found = {"metric": search.metric, "rungs": list(search.rungs), "winner": winner + 1, "trials": table}
    write_json(context.attempt.path / TABLE, found)
    facts = {"trials": search.trials, "winner": winner + 1, search.metric: values[winner], "head": last[winner]["head"]}
    return Result(facts, (TABLE,))

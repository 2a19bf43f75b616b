"""One training of a search, up to the end of a rung.

A later rung continues the best trials of the rung before from their last checkpoint; with ``scheduler: asha`` each trial has a
stage in each rung, which trains nothing if the trial is not promoted (``asha.py``). The learning rate follows the schedule of
the whole length, ``search.rungs[-1]``, so a trial that reaches the last rung was trained like any other training of that
length. If the checkpoint is gone, or other code wrote it, the trial is trained from the start, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grid.ledger.ledger import Marker
from grid.spec.measure import is_number
from grid.spec.search import Slot, searched
from grid.spec.training import Training
from grid.stages.asha import PROMOTED, promotion
from grid.stages.context import Context, Result, write_json
from grid.stages.halving import ranked, value_of
from grid.stages.train import Saves, fitted, initial_network, parameters, prepared
from modules.training.nonfinite import NonFiniteLoss

HISTORY = "history.json"


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``history.json``. The facts name the trial, its head, and the metrics after its last epoch.

    A trial that is not promoted has no file, and the fact ``promoted`` is False; otherwise that fact is the decision of
    ``asha.promotion``.
    """
    training, slot = config["training"], config["slot"]
    assert isinstance(slot, Slot)
    if slot.rivals:
        decision = promotion(context.ledger, context.attempt.id, slot)
        facts: dict[str, Any] = {"trial": slot.place, "rung": slot.rung, PROMOTED: decision or False}
        if decision is None:
            return Result(facts, ())
        return _trained(context, training, slot, facts, context.inputs["before"])
    earlier, trial = (None, slot.place) if slot.rung == 0 else promoted(context, slot)
    facts = {"trial": trial, "rung": slot.rung}
    if earlier is not None:
        training = searched(training, earlier.facts)
        if earlier.facts.get("diverged"):  # fewer trials are sound than the rung has places
            kept = ("head", "diverged", "metrics", "epochs", "parameters")
            return _result(context, facts | {key: earlier.facts[key] for key in kept}, context.ledger.json(earlier, HISTORY))
    return _trained(context, training, slot, facts, earlier)


def promoted(context: Context, slot: Slot) -> tuple[Marker, int]:
    """The stage of the rung before whose trial has this place, and the number of that trial."""
    before = {marker.facts["trial"]: marker for marker in (context.inputs[f"earlier {n}"] for n in range(slot.earlier))}
    values = {trial: value_of(marker.facts, slot.metric) for trial, marker in before.items()}
    trial = ranked(values, slot.metric)[slot.place]
    return before[trial], trial


def _trained(context: Context, training: Training, slot: Slot, facts: dict[str, Any], earlier: Marker | None) -> Result:
    faces, labels, network = prepared(training, context, initial_network)
    facts |= {"head": training.head.model_dump(mode="json"), "parameters": parameters(network)}
    history: list[dict[str, Any]] = []
    saves = Saves(context, earlier)
    try:
        history = fitted(training, context, network, faces, labels, saves, until=slot.epochs).history
    except NonFiniteLoss as error:  # the layers do not suit the recipe, which is a result of the search and no failure
        if context.memory_probe is not None:
            raise
        facts["diverged"] = str(error)
    last = history[-1] if history else {}
    metrics = {key: value for key, value in last.items() if key.startswith("validation_") and is_number(value)}
    return _result(context, facts | {"epochs": len(history), "metrics": metrics}, history)


def _result(context: Context, facts: dict[str, Any], history: list[dict[str, Any]]) -> Result:
    write_json(context.attempt.path / HISTORY, history)
    return Result(facts, (HISTORY,))

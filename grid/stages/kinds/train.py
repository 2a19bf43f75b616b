"""The training of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from grid.spec.finished import Finished
from grid.spec.measure import NOT_NEGATIVE, Measure, Measured
from grid.spec.stage_kind import Graph, Stage, StageKind, StageName, measured_in
from grid.spec.stage_name import PRETRAIN, SEARCH
from grid.spec.training import Training
from grid.stages.kinds.detect import detection

LOGGED = ("epochs", "kept_epoch", "validation_loss", "validation_accuracy", "parameters")
LOST = ("missing_faces", "skipped_images")  # logged if nonzero
COUNTED = ("epochs", "parameters", "classes", "images", "skipped_images", "missing_faces", "labeled")  # in the long table
QUANTITIES = {  # of each of several targets, see modules.training.target_validation
    "accuracy": Measure("", "accuracy"),
    "mae": Measure("", "mean absolute error", percent=False, lower_is_better=True, range=NOT_NEGATIVE),
    "loss": Measure("", "loss", percent=False, digits=3, lower_is_better=True, headline=False, range=NOT_NEGATIVE),
}


class Kind(StageKind):
    order = 20
    leaf = False
    epochs = True
    epochs_in = "recipe"
    computes = "grid.stages.train"
    configs: ClassVar = {"training": Training}

    @property
    def curves(self) -> str:
        return "Learning curves"

    def summary(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def heading(self, label: StageName) -> str:
        return "targets"

    def result(self, stage: Finished) -> Mapping[str, Any] | None:
        """The validation of each of several targets; None for one target: tables show the networks' results on protocols."""
        found = {
            name: {key: {"value": stage.facts[f"validation_{key}_{name}"]} for key in _quantities(stage.facts, name)}
            for name in targets_of(stage.facts)
        }
        return {name: entries for name, entries in found.items() if entries} or None

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        keys = dict.fromkeys((name, key) for result in found for name, entries in result.items() for key in entries)
        return [
            replace(QUANTITIES[key], key=f"{name}:{key}", title=f"{name}, {QUANTITIES[key].title}")
            for key in QUANTITIES
            for name, other in keys
            if other == key
        ]

    def measured(self, stage: Finished) -> Iterable[Measured]:
        """Loss and accuracy of the validation, also of each of several targets; counts of the training."""
        facts = stage.facts
        for key in ("loss", "accuracy"):
            if facts.get(f"validation_{key}") is not None:
                entry = {"value": facts[f"validation_{key}"]}
                yield Measured(key, entry, facts.get("validation_images"), split="validation")
        for one in measured_in(self.result(stage) or {}):
            yield replace(one, split="validation")
        for key in COUNTED:
            counts = {name: facts.get(f"{key}_{name}") for name in targets_of(facts)} if key == "labeled" else facts.get(key)
            for part, value in counts.items() if isinstance(counts, Mapping) else [("", counts)]:  # by target
                if value is not None:
                    yield Measured(f"{key}_{part}".strip("_"), {"value": value}, split="train")

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """Epochs count from 1, as in the curves. Numbers of several targets are grouped under ``targets``."""
        found = {key: stage.facts.get(key) for key in LOGGED}
        if found["kept_epoch"] is not None:
            found["kept_epoch"] += 1
        found |= {key: stage.facts[key] for key in LOST if stage.facts.get(key)}
        return {**{(self.name, key): value for key, value in found.items()}, **super().logged(stage)}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """Excludes the weights, which are large and stay in the ledger."""
        return {"history.json": ("history.json",)}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ("history.json",)

    def plan(self, graph: Graph) -> None:
        training = graph.training
        made, weights = initial_weights(graph, training)
        seen = detection(graph, training.data, training.detector, "data")
        identity = training_identity(graph, training, seen, weights)
        if chosen := next(iter(graph.of(SEARCH)), None):
            identity["search"] = chosen.id
        graph.add(StageName(self.name), identity, {"training": training}, [seen, made, chosen])


def targets_of(facts: Mapping[str, Any]) -> list[str]:
    """The names of several targets, from the facts of a training; empty if it has one."""
    classes = facts.get("classes")
    return list(classes) if isinstance(classes, Mapping) else []


def _quantities(facts: Mapping[str, Any], name: str) -> list[str]:
    return [key for key in QUANTITIES if facts.get(f"validation_{key}_{name}") is not None]


def initial_weights(graph: Graph, training: Training) -> tuple[Stage | None, Any]:
    """The pretrain stage that makes the initial weights, if one does, and what identifies these weights."""
    made = next(iter(graph.of(PRETRAIN)), None)
    return made, {"pretrain": made.id} if made else graph.facts.weights(training.pretraining, training)


def training_identity(graph: Graph, training: Training, detected: Stage | None, weights: Any) -> dict[str, Any]:
    """Everything that the final weights of a training depend on."""
    identity = training.by_value()
    identity |= {"images": graph.facts.images(training.data), "weights": weights, "seed": training.seed}
    if training.targets:
        identity["columns"] = graph.facts.columns(training)
    return identity | ({"detect": detected.id} if detected else {})

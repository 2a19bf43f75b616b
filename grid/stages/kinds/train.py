"""The training of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from grid.spec.finished import Finished
from grid.spec.stage_kind import Graph, Stage, StageKind, StageName
from grid.spec.training import Training
from grid.stages.kinds.detect import detection

LOGGED = ("epochs", "kept_epoch", "validation_loss", "validation_accuracy", "parameters")
LOST = ("missing_faces", "skipped_images")  # logged if nonzero


class Kind(StageKind):
    order = 20
    leaf = False
    epochs = True
    computes = "grid.stages.train"
    configs: ClassVar = {"training": Training}

    def result(self, stage: Finished) -> None:
        """None: tables show the networks' results on protocols."""

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """Epochs count from 1, as in the curves."""
        found = {key: stage.facts.get(key) for key in LOGGED}
        if found["kept_epoch"] is not None:
            found["kept_epoch"] += 1
        found |= {key: stage.facts[key] for key in LOST if stage.facts.get(key)}
        return {(self.name, key): value for key, value in found.items()}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """Excludes the weights, which are large and stay in the ledger."""
        return {"history.json": ("history.json",)}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ("history.json",)

    def plan(self, graph: Graph) -> None:
        training = graph.cell.training()
        made = next(iter(graph.of("pretrain")), None)
        weights = {"pretrain": made.id} if made else graph.facts.weights(training.pretraining, training)
        seen = detection(graph, training.data, training.detector, "data")
        identity = training_identity(graph, training, seen, weights)
        graph.add(StageName("train"), identity, {"training": training}, [seen, made])


def training_identity(graph: Graph, training: Training, detected: Stage | None, weights: Any) -> dict[str, Any]:
    """Everything that the final weights of a training depend on."""
    identity = training.by_value()
    identity |= {"images": graph.facts.images(training.data), "weights": weights, "seed": training.seed}
    if training.targets:
        identity["columns"] = graph.facts.columns(training)
    return identity | ({"detect": detected.id} if detected else {})

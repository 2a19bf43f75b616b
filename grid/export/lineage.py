"""Where an exported network comes from: study, data, weights, licenses."""

from __future__ import annotations

from typing import Any

from grid.plan.study_record import revision
from grid.results.model_loader import Trained
from grid.version import VERSION


def lineage(trained: Trained) -> dict[str, Any]:
    """Study and cell, the digests of the images and the initial weights, and the versions; no paths."""
    identity = trained.ledger.identity("train", trained.marker.id) or {}
    facts = trained.marker.facts
    view, cell = trained.view, trained.cell
    learned = {
        "settings": cell.data.identity() if cell else None,
        "images_sha256": identity.get("images"),
        "images_trained_on": facts.get("images"),
        "classes": facts.get("classes"),
    }
    return {
        "cell": trained.title,
        "levels": dict(view.levels) if view else {},
        "train_id": trained.marker.id,
        "training_data": learned if trained.training.recipe.trains else None,  # None: the initial weights are the network
        "initial_weights": {
            "settings": cell.pretraining.identity() if cell else None,
            "content": identity.get("weights"),
        },
        "epochs": facts.get("epochs"),
        "facegrid": VERSION,
        "revision": revision(),
    }


def licenses(trained: Trained) -> list[dict[str, str]]:
    """The terms of the data and weights that went into the network; check them before passing the network on."""
    cell = trained.cell
    if cell is None:
        return [{"what": "training data and initial weights", "terms": "unknown: no study is known"}]
    found = []
    for training, what in ((cell, "training data"), (cell.source(), "data of the pretraining")):
        if training is not None and training.recipe.trains:
            found.append({"what": f"{what}: {training.data.name}", "terms": training.data.terms or "not stated"})
    if cell.pretraining.name not in ("none", "source"):
        terms = "those of the file or package that they come from"
        found.append({"what": f"initial weights: {cell.pretraining.name}", "terms": terms})
    detector = "the MTCNN weights come with facenet-pytorch (MIT)" if cell.detector.name == "mtcnn" else "none"
    found.append({"what": f"face detection: {cell.detector.name}", "terms": detector})
    return found

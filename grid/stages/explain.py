"""Explanation: raw attribution maps of the grid's probe images, and a manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from datamodules.faces import to_tensor
from grid.stages.context import Context, Result, faces_of
from grid.stages.train import labels_of, load_network, rows_of
from grid.training import Training
from modules.explainer import Refused
from modules.targets import ClassLogit


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``manifest.json``, ``images.npy`` (the crops) and ``maps.npy`` (float32, raw); or why it is refused."""
    training: Training = config["training"]
    explainer = config["explainer"]
    faces = faces_of(context, training.data, training.detector, training.input.pixels)
    labels, persons = labels_of(faces)
    _, validation = rows_of(faces, training)
    rows = probes(faces.manifest.keys, faces.identities, validation.tolist(), explainer.images)
    network = load_network(context, training, len(persons))
    crops = np.stack([faces.crops[row] for row in rows])
    images = torch.stack([to_tensor(crop) for crop in crops]).to(context.device)
    target = ClassLogit(torch.from_numpy(labels[rows]))
    logits = None
    if network.classifies:
        with torch.inference_mode():
            logits = network(images).float().cpu()
    about = {
        "method": explainer.name,
        "label": explainer.title,
        "config": explainer.identity(),
        "size": training.input.size,
        "width": training.input.width or training.input.size,
        "checkpoint": context.inputs["train"].outputs["model.safetensors"]["sha256"],
        "images": [
            {
                "key": faces.manifest.keys[row],
                "identity": faces.identities[row],
                "class": int(labels[row]),
                "logit": None if logits is None else float(logits[number, labels[row]]),
                "predicted": None if logits is None else persons[int(logits[number].argmax())],
            }
            for number, row in enumerate(rows)
        ],
    }
    path = context.attempt.path
    np.save(path / "images.npy", crops)
    outputs: tuple[str, ...] = ("manifest.json", "images.npy")
    try:
        if logits is None:  # so far every explainer here explains a class
            why = f"loss {training.loss.name} has no classes" if training.recipe.trains else "recipe none trains no classifier"
            raise Refused("no_classifier", f"{why}, so there is no class score to explain")
        found = explainer.build().explain(network, images, target, training.input.pixels)
    except Refused as refused:
        about["refused"] = {"code": refused.code, "reason": refused.reason}
    else:
        np.save(path / "maps.npy", found.maps)
        outputs += ("maps.npy",)
        about |= {
            "target": found.target,
            "layer": found.layer,
            "layer_shape": list(found.layer_shape),
            "notes": dict(found.notes),
        }
    (path / "manifest.json").write_text(json.dumps(about, indent=1))
    facts = {"images": len(rows), "layer": about.get("layer"), "refused": about.get("refused")}
    return Result(facts, outputs)


def probes(keys: Any, identities: Any, validation: list[int], count: int) -> list[int]:
    """The probe images: validation images of ``count`` different persons, by a hash of their keys, so equal in every cell."""
    chosen: dict[str, int] = {}
    for row in sorted(validation, key=lambda row: hashlib.sha256(keys[row].encode()).digest()):
        chosen.setdefault(identities[row], row)
        if len(chosen) == count:
            break
    return list(chosen.values())

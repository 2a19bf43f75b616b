"""Explains two image files under one trained network: their cosine, the decision, and attribution maps. One process, no Ray."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.text import Text

from configs.explainers import ExplainerConfig
from datamodules.tensors import tensors
from grid.execution.job import accelerator
from grid.execution.process_state import fresh_process_state
from grid.explain.pair_decision import cosine_of, limit_of
from grid.explain.pair_png import Drawn, Headline, pair_png
from grid.export.embedder import cut_faces
from grid.plan.inputs import Blocked, InputResolver
from grid.results.heatmap import from_unit
from grid.results.model_loader import Trained
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import DETECT, TRAIN
from grid.stages.context import Context
from grid.stages.explain import reference_of, target_of
from grid.stages.train import load_network
from grid.terminal import styled
from modules.attribution import returned
from modules.attribution.explainer import Reference, Refused

METHODS = ("gradcam", "stylianou", "corr_rise", "minplus", "reconstruction")  # the default; all take seconds


def explain(
    trained: Trained, files: tuple[Path, Path], explainers: Sequence[ExplainerConfig], threshold: float | None, to: Path
) -> dict[str, Any]:
    """Writes the image ``to``; returns its content as JSON values.

    The cosine is that of the embeddings computed as in the threshold's protocol, including mirror images if it uses them. Maps
    explain the plain embeddings.

    Raises:
        BadInput: a file is not an image, or has no face that the network's detector requires; the image cannot be written.
    """
    if to.suffix.lower() != ".png" or not to.absolute().parent.is_dir():
        raise BadInput(f"--to {to}: give a file .png in a folder that exists")
    training = trained.training
    device = "cuda" if accelerator() == "gpu" else "cpu"
    inputs: dict[str, Any] = {TRAIN: trained.marker}
    attempt: Any = None  # nothing is written to the ledger
    resolver = InputResolver(trained.ledger.store)
    context = Context(trained.ledger, attempt, resolver, inputs, accelerator=accelerator(), crop_cache_bytes=0)
    with fresh_process_state({"training": training}):
        crops, faces = _faces(trained, files, device)
        network = load_network(context, training, trained.marker.facts["classes"])
        images = tensors(crops, device)
        limit = limit_of(trained, threshold)
        cosine = cosine_of(network, images, limit)
        drawn, refused = [], []
        helper = _Reference(trained, context)
        for explainer in explainers:
            try:
                drawn += _maps(network, explainer, images, training, helper, None if limit is None else limit.plain)
            except Refused as error:
                why = f"{error.reason}{helper.why if error.code == 'no_reference' else ''}"
                refused.append({"method": explainer.title, "code": error.code, "reason": why})
    decision = None if limit is None else "same subject" if cosine >= limit.value else "different subjects"
    facts: dict[str, Any] = {
        "network": trained.title,
        "checkpoint": str(trained.path),
        "cosine": cosine,
        "threshold": limit and limit.value,
        "threshold_from": limit and limit.source,
        "decision": decision,
        "faces": faces,
        "maps": [{"method": one.title, "signed": one.signed, "low": one.low, "high": one.high} for one in drawn],
        "refused": refused,
        "image": str(to.absolute()),
    }
    head = Headline(said(facts), source_of(facts), f"network: {trained.title}")
    try:
        to.write_bytes(pair_png(head, crops, faces, drawn, [f"{one['method']}: {one['code']}" for one in refused]))
    except OSError as error:
        raise BadInput(f"--to {to}: {error.strerror}") from error
    return facts


def _faces(trained: Trained, files: tuple[Path, Path], device: str) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The crops (2, H, W, 3) as in training, and facts about each face."""
    config = trained.training.detector
    crops, images, found = cut_faces(files, config, config.build(device), trained.training.input.pixels)
    faces = []
    for file, image, face in zip(files, images, found, strict=True):
        facts = {"file": str(file), "width": image.shape[1], "height": image.shape[0], "found": face.found}
        faces.append({**facts, "box": [round(value, 1) for value in face.box] if face.found else None, "score": face.score})
    return crops, faces


class _Reference:
    """The reference pairs, computed when a method first requests them, or the reason ``why`` there are none.

    They are those of an explain stage, and so is the mean color: of the first protocol with pairs, else of the training data.
    """

    why = ""

    def __init__(self, trained: Trained, context: Context) -> None:
        self.trained, self.context = trained, context

    @cached_property
    def pairs(self) -> Reference | None:
        try:
            return self._pairs()
        except (Blocked, ValueError) as error:
            self.why = f"; the training data give none: {error}"
            return None

    def _pairs(self) -> Reference:
        cell, view = self.trained.cell, self.trained.view
        if cell is None or view is None:
            raise BadInput("no study is known that says where they are; name a study's folder with --where")
        detected = tuple(marker for marker in view.markers.values() if marker.kind == DETECT)
        protocol: Any = next((one for one in cell.protocols if one.task == "verification"), None)
        return reference_of(replace(self.context, detected=detected), self.trained.training, protocol)


def _maps(
    network: Any, explainer: Any, images: torch.Tensor, training: Any, reference: _Reference, threshold: float | None
) -> list[Drawn]:
    """The maps; raises Refused if the method does not apply."""
    pixels = training.input.pixels
    if explainer.of == "image":
        one = returned.explain(explainer, network, images, target_of(network, explainer, images, None), pixels)
        generated = None if one.generated is None else from_unit(one.generated)
        return [Drawn(explainer.title, _about(one), one.maps, one.signed, generated)]
    if threshold is not None and getattr(explainer, "threshold", threshold) is None:
        explainer = explainer.model_copy(update={"threshold": threshold})
    try:
        found = returned.explain_pairs(explainer, network, images[:1], images[1:], pixels, None)
        wants = "unnormalized" in found.notes
    except Refused as error:
        if error.code != "no_reference" or reference.pairs is None:
            raise
        wants = True
    if wants and reference.pairs is not None:
        found = returned.explain_pairs(explainer, network, images[:1], images[1:], pixels, reference.pairs)
    return [
        Drawn(f"{explainer.title} {name}".rstrip(), _about(found), maps[0], name in found.signed)
        for name, maps in found.maps.items()
    ]


def _about(found: Any) -> tuple[str, ...]:
    less = found.notes.get("unnormalized")
    more = [f"layer {found.layer}" if found.layer else "", f"not normalized: {less}" if less else ""]
    return (found.target, *(text for text in more if text))


def said(facts: Mapping[str, Any]) -> str:
    """The result on one line."""
    if facts["decision"] is None:
        return f"cosine {facts['cosine']:.4f}"
    return f"{facts['decision']}: cosine {facts['cosine']:.4f}, threshold {facts['threshold']:.4f}"


def source_of(facts: Mapping[str, Any]) -> str:
    """The origin of the threshold, or that there is none."""
    if facts["threshold_from"]:
        return f"threshold: {facts['threshold_from']}"
    return "no decision: this training has no finished evaluation on pairs, and no --threshold was given"


def result_lines(facts: Mapping[str, Any]) -> Iterator[str | Text]:
    """The result on a terminal."""
    yield Text(said(facts), style="bold")
    yield source_of(facts)
    for face in facts["faces"]:
        where = ", ".join(f"{value:g}" for value in face["box"]) if face["found"] else ""
        words = "face at {}" if where else "[yellow]no face found[/], its center{}"
        yield styled(f"{{}}: {words}, of {{}} x {{}} pixels", face["file"], where, face["width"], face["height"])
    for one in facts["refused"]:
        yield styled("[yellow]refused[/] {}: {}: {}", one["method"], one["code"], one["reason"])
    canvas = Path(facts["image"])
    yield f"image: {canvas.relative_to(Path.cwd()) if canvas.is_relative_to(Path.cwd()) else canvas}"

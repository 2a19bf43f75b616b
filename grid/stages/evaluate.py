"""Evaluation: embeds a protocol's images and runs the evaluator of its task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from configs.interfaces import ProtocolConfig
from datamodules.crops import CropTable
from datamodules.datamodule import to_tensor
from grid.evaluation.evaluator import Embedded
from grid.evaluation.task import evaluation_task
from grid.spec.training import Training
from grid.stages.context import FAST_PAIRS, Context, Result, faces_of
from grid.stages.train import load_network
from modules.network import Network, embedding_digest

BATCH = 64  # images per batch; constant, because the batch size can affect the last bit


def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``metrics.json`` and the evaluator's files, such as ``scores.parquet``."""
    training: Training = config["training"]
    protocol: ProtocolConfig = config["protocol"]
    task = evaluation_task(protocol.task)
    data = context.resolver.dataset(protocol)
    manifest = context.resolver.manifest(data)
    asked = context.resolver.asked(protocol, training)
    few = task.sample(asked, FAST_PAIRS) if context.fast else None
    asked = asked if few is None else few
    used = task.rows(asked)
    counts = few is not None or not context.fast  # otherwise a few images are embedded, too few for searches or clusters
    if not counts:
        used = used[:FAST_PAIRS]
    faces = faces_of(context, data, training.detector, training.input.pixels, rows=used.tolist())
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    if (miner := getattr(protocol, "miner", None)) and miner() == embedding_digest(network.state_dict()):
        raise ValueError(f"protocol {protocol.title}: this very network chose its pairs, so it cannot be evaluated by them")
    with torch.inference_mode():
        vectors = embed(network, faces.crops, protocol, context)
    if not counts:
        return Result({"images": len(vectors)}, ())
    kept = faces.crops.kept
    seen = Embedded(manifest, used[kept], vectors[kept], context.attempt.path, lambda place: faces.crops[int(kept[place])])
    evaluation = task.evaluate(asked, seen, protocol)
    stated = {} if protocol.task == "verification" else {"task": protocol.task}
    metrics = json.dumps({**stated, **evaluation.metrics}, indent=1)
    (context.attempt.path / "metrics.json").write_text(metrics, encoding="utf-8")
    facts = {**evaluation.facts, "missing_faces": faces.crops.missing}
    return Result(facts, (*evaluation.outputs, "metrics.json"))


def embed(network: Network, crops: CropTable, protocol: ProtocolConfig, context: Context) -> np.ndarray:
    """(N, D) float64, not normalised: the sum of the embeddings of all views of an image."""
    found = []
    for start in range(0, len(crops), BATCH):
        rows = range(start, min(start + BATCH, len(crops)))
        images = torch.stack([to_tensor(crops[row]) for row in rows]).to(context.device)
        total: Any = None
        for view in views(protocol):
            embedding = network.embed(view(images))
            total = embedding if total is None else total + embedding
        found.append(total.double().cpu().numpy())
        context.report({"done": rows.stop, "total": len(crops), "unit": "images"})
    return np.concatenate(found)


def views(protocol: ProtocolConfig) -> Iterator[Callable[[Tensor], Tensor]]:
    """The views of each image: the whole image, its corners if the protocol asks for them, and mirror images of these."""
    cuts: list[Callable[[Tensor], Tensor]] = [lambda images: images]
    if protocol.multi_crop is not None:
        cuts += [_corner(protocol.multi_crop, down, across) for down in (0, 1) for across in (0, 1)]
    for cut in cuts:
        yield cut
        if protocol.flip_test:
            yield lambda images, cut=cut: cut(images).flip(3)  # type: ignore[misc]


def _corner(share: float, down: int, across: int) -> Callable[[Tensor], Tensor]:
    """The corner crop with that fraction of each side, enlarged to full size; 0 is top and left, 1 bottom and right."""

    def cut(images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        high, wide = round(share * height), round(share * width)
        top, left = down * (height - high), across * (width - wide)
        part = images[:, :, top : top + high, left : left + wide]
        return functional.interpolate(part, (height, width), mode="bilinear", align_corners=False)

    return cut

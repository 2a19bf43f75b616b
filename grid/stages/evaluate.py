"""Evaluation: embeds a protocol's images, or predicts their attributes, and runs the evaluator of its task.

On several devices the images are divided among them; the first one evaluates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from configs.data_interfaces import ProtocolConfig
from datamodules.crops import CropTable
from grid.evaluation.evaluator import Embedded, Predicted
from grid.evaluation.task import evaluation_task
from grid.spec.training import IDENTITY, Training
from grid.stages.context import FAST_PAIRS, Context, Result, faces_of, write_json
from grid.stages.shared_inference import shared_inference
from grid.stages.train import load_network
from modules.network import Network, embedding_digest


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
    if used[-1] >= len(manifest.keys):
        raise ValueError(
            f"evaluation task {task.name!r}: rows names row {used[-1]} of a manifest of {len(manifest.keys)} images"
        )
    counts = few is not None or not context.fast  # otherwise a few images are embedded, too few for searches or clusters
    if not counts:
        used = used[:FAST_PAIRS]
    faces = faces_of(context, data, training.detector, training.input.pixels, rows=used.tolist())
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    if (miner := getattr(protocol, "miner", None)) and miner() == embedding_digest(network.state_dict()):
        raise ValueError(f"protocol {protocol.title}: this very network chose its pairs, so it cannot be evaluated by them")
    if protocol.precision != "32-true":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    predictions: dict[str, Any] = {}
    if task.predicts:
        predictions = predicted(network, faces.crops, protocol, context)
        vectors = np.zeros((len(faces.crops), 0))
    elif training.backbone.scored:
        vectors = without_vectors(protocol, len(used))
    elif training.backbone.stored:
        vectors = stored(training, protocol, [manifest.keys[row] for row in used])
    else:
        vectors = embed(network, faces.crops, protocol, context)
    if context.helper is not None:
        return Result({}, ())
    if not counts:
        why = f"task {protocol.task} has no sample() for a quick check; {len(vectors)} images were embedded, none evaluated"
        return Result({"images": len(vectors), "left_out": why}, ())
    kept = faces.crops.kept
    answers = {name: _predicted(context, training, name, values[kept]) for name, values in predictions.items()}

    def face(place: int) -> np.ndarray:
        return faces.crops[int(kept[place])]

    given = training.backbone.pair_scores if training.backbone.scored else None
    seen = Embedded(manifest, used[kept], vectors[kept], context.attempt.path, answers, face, given)
    evaluation = task.evaluate(asked, seen, protocol)
    stated = {} if protocol.task == "verification" else {"task": protocol.task}
    write_json(context.attempt.path / "metrics.json", {**stated, **evaluation.metrics})
    facts = {**evaluation.facts, "missing_faces": faces.crops.missing}
    return Result(facts, (*evaluation.outputs, "metrics.json"))


def embed(network: Network, crops: CropTable, protocol: ProtocolConfig, context: Context) -> np.ndarray:
    """(N, D) float64, not normalized: the sum of the embeddings of all views of an image."""

    def summed(images: Tensor) -> dict[str, Tensor]:
        every = (network.embed(view(images)).float() for view in views(protocol))
        return {"embedding": reduce(torch.add, every)}

    found = shared_inference(summed, crops.take, range(len(crops)), context, protocol.precision)
    return found["embedding"].double().numpy()


def stored(training: Training, protocol: ProtocolConfig, keys: Sequence[str]) -> np.ndarray:
    """(N, D) float64: embeddings that were computed elsewhere.

    Raises:
        ValueError: the protocol asks for other views of the images or another precision, or as ``vectors`` of the backbone.
    """
    _refuse_changes(protocol)
    return training.backbone.vectors(keys)


def _refuse_changes(protocol: ProtocolConfig) -> None:
    if protocol.flip_test or protocol.multi_crop is not None:
        raise ValueError(
            f"protocol {protocol.title}: what is stored is final; leave flip_test and multi_crop out, or store their results"
        )
    if protocol.precision != "32-true":
        raise ValueError(f"protocol {protocol.title}: what is stored is final; precision is {protocol.precision}, leave it out")


def without_vectors(protocol: ProtocolConfig, count: int) -> np.ndarray:
    """(count, 0): scores of pairs have no embeddings.

    Raises:
        ValueError: the protocol needs embeddings, other views of the images or another precision.
    """
    fitted, pairs = getattr(protocol, "setting", "unsupervised"), evaluation_task(protocol.task).pairs
    if not pairs or fitted != "unsupervised":
        what = f"setting {fitted}" if pairs else f"task {protocol.task}"
        raise ValueError(f"protocol {protocol.title}: {what} needs embeddings, and there are only scores of pairs")
    _refuse_changes(protocol)
    return np.zeros((count, 0))


def predicted(network: Network, crops: CropTable, protocol: ProtocolConfig, context: Context) -> dict[str, np.ndarray]:
    """Predictions of each target except the identity, by name: the mean over all views of an image.

    float64 (N, classes), probabilities; or (N,), numbers.
    """

    def averaged(images: Tensor) -> dict[str, Tensor]:
        seen = [network.predictions(view(images)) for view in views(protocol)]
        return {name: torch.stack([one[name].double() for one in seen]).mean(0) for name in seen[0] if name != IDENTITY}

    found = shared_inference(averaged, crops.take, range(len(crops)), context, protocol.precision)
    return {name: values.numpy() for name, values in found.items()}


def _predicted(context: Context, training: Training, name: str, values: np.ndarray) -> Predicted:
    """The predictions with the classes that the training recorded."""
    target, counts = training.targets[name], context.inputs["train"].facts.get("class_counts", {})
    if values.ndim == 1:
        return Predicted(target, values)
    if name not in counts:
        raise ValueError(
            f"the training recorded no classes of target {name}, so its predictions have no names: it was made by an earlier "
            "version; launch with --retry stale"
        )
    classes, trained = zip(*counts[name], strict=True)
    return Predicted(target, values, tuple(classes), tuple(trained))


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

"""Explanation: raw attribution maps of the grid's probes (images or pairs), and a manifest that describes them.

The two images of a pair are consecutive, so everything that displays maps of images also displays those of pairs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from configs.float32_precision import without_tf32
from datamodules.tensors import tensors
from grid.spec.training import Training
from grid.stages.chosen_images import check_classes
from grid.stages.context import FAST_EXPLAINED, FAST_PAIRS, Context, Faces, Result, faces_of, write_json
from grid.stages.labels import explained_rows, labels_of, rows_of
from grid.stages.probes import Probes, image_probes, pair_probes, reference_pairs
from grid.stages.train import load_network
from modules.attribution import returned
from modules.attribution.explainer import Attribution, Reference, Refused
from modules.attribution.progress import listening
from modules.attribution.targets import PREDICTED, ClassLogit, Cosine, Distance, Target
from modules.network import Network

MEAN = 500  # number of images used for a protocol's mean color
REFERENCE = 40  # number of pairs for tuning methods, half of them genuine


@without_tf32()
def run(config: Mapping[str, Any], context: Context) -> Result:
    """Writes ``manifest.json``, ``images.npy`` (the crops) and one file per map (float32, raw), or why there are none."""
    training: Training = config["training"]
    explainer = config["explainer"]
    trained = faces_of(context, training.data, training.detector, training.input.pixels)
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    labels = labels_of(trained.manifest, training)
    seconds, held_out = None, True
    if protocol := config.get("protocol"):
        pairs = min(explainer.pairs, FAST_EXPLAINED) if context.fast else explainer.pairs
        chosen = explainer.chosen[: 2 * pairs] if context.fast else explainer.chosen
        probes = pair_probes(context, training, protocol, pairs, chosen)
    else:
        chosen = () if context.fast else explainer.chosen  # the quick check has only a few images
        check_classes(trained.manifest.keys, chosen, labels, training)
        rows, held_out = explained_rows(trained, training, labels)
        probes = image_probes(trained, labels.primary, rows.tolist(), explainer.images, chosen)
    about = {
        "method": explainer.name,
        "label": explainer.title,
        "config": explainer.identity(),
        "size": training.input.size,
        "width": training.input.width or training.input.size,
        "checkpoint": context.inputs["train"].outputs["model.safetensors"]["sha256"],
        "images": _images(network, probes, labels.names, context.device),
    }
    if not held_out and not explainer.chosen:
        about["trained_on"] = True  # the split holds out no image of any class, so these are training images
    path = context.attempt.path
    np.save(path / "images.npy", probes.crops)
    outputs: tuple[str, ...] = ("manifest.json", "images.npy")
    try:
        reference = reference_of(context, training, protocol) if explainer.of == "pair" else None
        started = time.perf_counter()
        with listening(lambda done, total: context.report({"done": done, "total": total, "unit": f"{explainer.of}s"})):
            if reference is not None:
                found = _of_pairs(network, explainer, probes, training, context.device, reference)
            else:
                found = {"": _of_images(network, explainer, probes, training, context.device)}
        seconds = time.perf_counter() - started  # maps are on the CPU by now, so no computation of the method is pending
    except Refused as refused:
        about["refused"] = {"code": refused.code, "reason": refused.reason}
    else:
        first = next(iter(found.values()))
        about["maps"] = []
        for number, (name, one) in enumerate(found.items()):
            file = "maps.npy" if number == 0 else f"maps-{number}.npy"
            np.save(path / file, one.maps)
            outputs += (file,)
            about["maps"].append({"name": name, "file": file, "signed": one.signed})
        if first.generated is not None:
            np.save(path / "generated.npy", first.generated)
            outputs += ("generated.npy",)
        about |= {
            "target": first.target,
            "layer": first.layer,
            "layer_shape": list(first.layer_shape),
            "notes": dict(first.notes),
        }
    write_json(path / "manifest.json", about)
    facts = {
        "images": len(probes.crops),
        "layer": about.get("layer"),
        "refused": about.get("refused"),
        "seconds": None if seconds is None else round(seconds, 3),  # of the method only; facts are not part of ``content``
    }
    if context.fast and explainer.chosen and not config.get("protocol"):
        facts["left_out"] = "the images named by chosen: a quick check has few images, and explains others"
    return Result(facts, outputs)


def _of_images(network: Network, explainer: Any, probes: Probes, training: Training, device: str) -> Attribution:
    """Maps of single images: for their class, or, for pairs, for each image with the other one as the target."""
    images = tensors(probes.crops, device)
    target = target_of(network, explainer, images, None if probes.same is not None else probes.labels)
    if target.classes and not network.classifies:
        names = ", ".join(loss.name for loss in training.losses)
        why = f"loss {names} has no classes" if training.classifies else "this recipe trains no classifier"
        raise Refused("no_classifier", f"{why}, so there is no class score to explain")
    return returned.explain(explainer, network, images, target, training.input.pixels)


def target_of(network: Network, explainer: Any, images: torch.Tensor, labels: np.ndarray | None) -> Target:
    """What is explained for images (N, 3, H, W): their classes ``labels`` (N,), or for pairs the result of ``pair_target``."""
    if labels is not None:
        return ClassLogit(torch.from_numpy(labels))
    if explainer.pair_target in ("cosine", "distance"):
        with torch.no_grad():
            embeddings = network.embed(images)
        others = torch.arange(len(images)).view(-1, 2).flip(1).reshape(-1)  # swaps left and right
        return (Cosine if explainer.pair_target == "cosine" else Distance)(embeddings[others])
    if not network.classifies:
        raise Refused("no_classifier", "pair_target top_class needs a network that classifies")
    with torch.no_grad():
        return ClassLogit(network(images).argmax(1).cpu(), PREDICTED)


def _of_pairs(
    network: Network, explainer: Any, probes: Probes, training: Training, device: str, reference: Reference
) -> dict[str, Attribution]:
    images = tensors(probes.crops, device)
    same = None if probes.same is None else torch.from_numpy(probes.same)
    left, right = images[0::2], images[1::2]
    found = returned.explain_pairs(explainer, network, left, right, training.input.pixels, reference, same)
    made = {}
    for name, maps in found.maps.items():
        size, signed = maps.shape[2:], name in found.signed
        made[name] = Attribution(maps.reshape(-1, *size), found.layer, (0, *size), found.target, found.notes, signed)
    return made


def reference_of(context: Context, training: Training, protocol: Any) -> Reference:
    """Reference pairs of images, and the mean color of the images of the protocol; None: of the training data.

    The pairs are images held out of training or, if there are none, training images.

    Raises:
        ValueError: there are no pairs.
    """
    trained = faces_of(context, training.data, training.detector, training.input.pixels)
    left, right, same = pairs_to_tune_on(trained, training, FAST_EXPLAINED if context.fast else REFERENCE)
    data = training.data if protocol is None else context.resolver.dataset(protocol)
    keys = context.resolver.manifest(data).keys
    some = sorted(range(len(keys)), key=lambda row: keys[row][::-1])[: FAST_PAIRS if context.fast else MEAN]
    colors = faces_of(context, data, training.detector, training.input.pixels, rows=sorted(some)).crops
    mean = np.mean([colors[row].reshape(-1, 3).mean(0) for row in range(len(colors))], axis=0) / 127.5 - 1
    crops = {row: trained.crops[row] for row in {*left, *right}}
    return Reference(
        tensors(np.stack([crops[row] for row in left]), context.device),
        tensors(np.stack([crops[row] for row in right]), context.device),
        torch.tensor(same),
        torch.tensor(mean, dtype=torch.float32),
    )


def pairs_to_tune_on(faces: Faces, training: Training, count: int) -> tuple[list[int], list[int], list[bool]]:
    """(left, right, same) as returned by ``reference_pairs``, up to ``count``; see ``reference_of``."""
    identities = labels_of(faces.manifest, training).identities
    train, validation = rows_of(faces, training)
    for rows in (validation, train):
        left, right, same = reference_pairs(faces.manifest.keys, identities, rows, count)
        if left:
            return left, right, same
    raise ValueError(f"{training.data.name} has no two images with usable faces, so there is no pair to tune this method on")


def _images(network: Network, probes: Probes, classes: Sequence[str], device: str) -> list[dict[str, Any]]:
    """The manifest entry of each image."""
    images = tensors(probes.crops, device)
    with torch.inference_mode():
        embeddings = network.embed(images).double().cpu()
        logits = network(images).float().cpu() if network.classifies else None
    rows: list[dict[str, Any]] = []
    for number, (key, who) in enumerate(zip(probes.keys, probes.identities, strict=True)):
        row: dict[str, Any] = {"key": key, "identity": who}
        if probes.same is None:
            label = int(probes.labels[number])
            row |= {"class": label, "logit": None if logits is None else float(logits[number, label])}
        else:
            pair = torch.nn.functional.cosine_similarity(embeddings[number // 2 * 2], embeddings[number // 2 * 2 + 1], dim=0)
            side = ("left", "right")[number % 2]
            row |= {"pair": number // 2, "side": side, "same": bool(probes.same[number // 2]), "cosine": float(pair)}
        row["predicted"] = None if logits is None else classes[int(logits[number].argmax())]
        rows.append(row)
    return rows

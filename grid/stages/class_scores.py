"""Class probabilities of a trained network, for each of its targets that has classes, from images or changed feature maps."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from datamodules.inference import BATCH, infer
from grid.spec.training import IDENTITY, Training
from grid.stages.context import Faces
from grid.stages.labels import labels_of
from modules.network import Network
from modules.targets import TargetLosses


def true_classes(faces: Faces, training: Training, network: Network) -> dict[str, np.ndarray]:
    """The class of each image of the dataset for each target, int64 (N,), -1 if unknown.

    Raises:
        ValueError: the network classifies nothing.
    """
    labels = labels_of(faces.manifest, training)
    if not isinstance(network.loss, TargetLosses):
        if not network.classifies:
            raise ValueError("the network classifies nothing, so it has no confidence in a class; use a loss with a classifier")
        assert isinstance(labels.classes, int)
        return {IDENTITY: np.where(labels.primary < labels.classes, labels.primary, -1)}
    config = network.loss.config
    found = {}
    for place, name in enumerate(config.names):
        if config.parts[name].loss.classifies:
            found[name] = np.nan_to_num(labels.values[:, place], nan=-1).astype(np.int64)
    if not found or not network.classifies:
        raise ValueError("no target of the network has a classifier, so there is no confidence in a class")
    return found


def feature_maps(network: Network, crops: np.ndarray, device: str) -> Tensor:
    """(N, C, h, w) of crops uint8 (N, H, W, 3), on the CPU."""
    return infer(lambda images: {"map": network.features(images)}, crops.__getitem__, range(len(crops)), device)["map"]


def probabilities(
    network: Network, features: Tensor, names: tuple[str, ...], device: str, keep: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Softmax of the logits, float64 (N, classes), for each target in ``names``.

    Args:
        features: (N, C, h, w)
        keep: bool (C,): the other channels are set to zero before the head; None: all are kept
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    mask = None if keep is None else torch.from_numpy(keep).to(device, features.dtype)[None, :, None, None]
    with torch.inference_mode():
        for start in range(0, len(features), BATCH):
            part = features[start : start + BATCH].to(device)
            part = part if mask is None else part * mask
            embeddings = network.head(part)
            for name in names:
                found[name].append(_logits(network, name, part, embeddings).double().softmax(1).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _logits(network: Network, name: str, features: Tensor, embeddings: Tensor) -> Tensor:
    loss = network.loss
    if not isinstance(loss, TargetLosses):
        return loss.logits(embeddings)
    return loss.of(name).logits(loss.embedding(name, features, embeddings))

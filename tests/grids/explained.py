"""Test data for scores: a small network, a few images, and random maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pair_networks import SIZE, images, network

from configs.lookup import resolve
from modules.attribution.explanation import Explained
from modules.attribution.targets import ClassLogit, Cosine, Distance

SAME = np.array([True, True, True, False, False, False])


def centered() -> Any:
    """A network whose embeddings are centered; without training, embeddings are otherwise almost parallel."""
    net = network("fc_bn", double=False).eval()
    with torch.no_grad():
        net.head.out.bias -= net.embed(images(12, double=False)).mean(0)
    return net


def maps(count: int, seed: int = 0, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, side, side)).astype(np.float32)


def single(**changes: Any) -> Explained:
    """Four images with their class labels."""
    labels = np.array([0, 1, 2, 0])
    given = {"maps": {"": maps(4)}, "labels": labels, "target": ClassLogit(torch.from_numpy(labels)), **changes}
    explainer = given.pop("explainer", resolve("explainer", {"name": "gradcam", "layer": "one"}))
    return Explained(centered(), explainer, images(4, double=False), SIZE, **given)


def paired(pair_target: str = "cosine", **changes: Any) -> Explained:
    """Six pairs, three of them genuine; each image is explained with respect to the other."""
    net, given = centered(), images(12, double=False)
    with torch.no_grad():
        others = net.embed(given)[torch.arange(12).view(-1, 2).flip(1).reshape(-1)]
    target = (Distance if pair_target == "distance" else Cosine)(others)
    explainer = resolve("explainer", {"name": "gradcam", "layer": "one", "pairs": 6, "pair_target": pair_target})
    return Explained(
        net,
        **{
            "explainer": explainer,
            "images": given,
            "size": SIZE,
            "maps": {"": maps(12)},
            "same": SAME,
            "target": target,
            **changes,
        },
    )


def together(name: str = "corr_rise", **changes: Any) -> Explained:
    """Six pairs explained by a pair method, with two maps each."""
    config = changes.pop("config", {})
    explainer = resolve("explainer", {"name": name, "pairs": 6, **config})
    both = {"S+": maps(12), "S-": maps(12, seed=1)}
    return paired(**{"explainer": explainer, "target": None, "maps": both, **changes})


def logits(explained: Explained, given: Any) -> Any:
    """Class logits (N, classes) of images, float64."""
    with torch.no_grad():
        return explained.network.loss.logits(explained.network.embed(given)).double()

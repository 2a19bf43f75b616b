"""Every explainer on small networks, with few samples."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pair_networks
import torch

from configs.lookup import resolve
from modules.attribution import returned
from modules.attribution.explainer import Reference
from modules.attribution.targets import ClassLogit, Cosine
from modules.network import Network

EXPLAINERS: dict[str, dict[str, Any]] = {  # title -> config
    **{
        name: {"name": name}
        for name in ("cam", "deconvnet", "gradcam", "gradcam_plus_plus", "gradient", "gradient_x_input", "guided_backprop")
    },
    "guided_gradcam": {"name": "guided_gradcam"},
    "excitation_backprop": {"name": "excitation_backprop", "layer": "one"},
    "contrastive excitation_backprop": {"name": "excitation_backprop", "layer": "one", "contrastive": True},
    "abn_attention": {"name": "abn_attention"},
    "activation_maximization": {"name": "activation_maximization", "steps": 8},
    "integrated_gradients": {"name": "integrated_gradients", "steps": 20},
    "lime": {"name": "lime", "segments": 12, "samples": 64},
    "rise": {"name": "rise", "masks": 96, "cells": 4},
    "score_cam": {"name": "score_cam"},
    "fame": {"name": "fame", "steps": 4, "blur": 1.0},
    "smoothgrad": {"name": "smoothgrad", "samples": 20},
    "corr_rise": {"name": "corr_rise", "masks": 64, "side": 5},
    "fggb": {"name": "fggb", "threshold": 0.5},
    "minplus": {"name": "minplus", "width": 2.0, "stride": 2},
    "greedy minplus": {"name": "minplus", "width": 2.0, "stride": 2, "rounds": 3},
    "pair_occlusion": {"name": "pair_occlusion", "patch": 4, "stride": 2},
    "reconstruction": {"name": "reconstruction", "head": "linear", "threshold": 0.9},
    "stylianou": {"name": "stylianou"},
    "xssab": {"name": "xssab", "threshold": 0.5},
}
MORE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # method -> few and many batches
    "activation_maximization": ({"steps": 2}, {"steps": 6}),
    "fame": ({"steps": 2}, {"steps": 6}),
    "integrated_gradients": ({"steps": 10, "batch": 5}, {"steps": 40, "batch": 5}),
    "lime": ({"samples": 64, "batch": 16}, {"samples": 256, "batch": 16}),
    "rise": ({"masks": 64, "batch": 16}, {"masks": 256, "batch": 16}),
    "score_cam": ({"batch": 6}, {"batch": 1}),
    "smoothgrad": ({"samples": 10, "batch": 5}, {"samples": 40, "batch": 5}),
    "corr_rise": ({"masks": 64}, {"masks": 512}),
    "pair_occlusion": ({"stride": 4}, {"stride": 1}),
    "minplus": ({"stride": 4}, {"stride": 1}),
}
IMAGES = 4


@cache
def _small() -> torch.nn.Module:
    return pair_networks.network("gap_bn", decodes=True)


@cache
def _attending() -> torch.nn.Module:
    torch.manual_seed(0)
    backbone = resolve("backbone", {"name": "abn", "backbone": {"name": "timm", "model": "resnet10t"}, "maps": 8})
    return Network(backbone, resolve("head", "gap_bn"), resolve("loss", "softmax"), 5, 64).double()


def maps_of(title: str, device: str, dtype: torch.dtype, **changes: Any) -> dict[str, np.ndarray]:
    """Map by name of an explainer with its config changed, as stages compute them; float32 arrays."""
    attending = title == "abn_attention"
    network = (_attending() if attending else _small()).to(device, dtype)
    size = 64 if attending else pair_networks.SIZE
    images = torch.nn.functional.interpolate(pair_networks.images(IMAGES), size, mode="bilinear").to(device, dtype)
    config = resolve("explainer", {**EXPLAINERS[title], **changes})
    if config.of == "pair":
        left, right = images[0::2], images[1::2]
        reference = Reference(left, right, torch.tensor([True, False]), torch.tensor([0.1, 0.0, -0.1]))
        return dict(returned.explain_pairs(config, network, left, right, size, reference, reference.same).maps)
    with torch.no_grad():
        others = network.eval().embed(images)[torch.tensor([1, 0, 3, 2])]
    found = {}
    for name, target in {"class": ClassLogit(torch.tensor([0, 1, 2, 3])), "cosine": Cosine(others)}.items():
        one = returned.explain(config, network, images, target, size)
        found[name] = one.maps if one.generated is None else one.generated
    return found

"""Checks whether a network can be trained with batch size 1: BatchNorm over one value per channel has no variance."""

from __future__ import annotations

import torch

from configs.network_interfaces import BackboneConfig, HeadConfig
from modules.shape_inference import Size, config_key, first_line, sides, title
from modules.training.freezing import freeze

_KNOWN: dict[tuple[str, str, Size, int | str], str | None] = {}


def check_single_image(backbone: BackboneConfig, head: HeadConfig, size: Size, trainable: int | str) -> None:
    """Runs one image through the network in training mode, on the meta device; the result is cached per process.

    Args:
        backbone: maps images to the feature map
        head: maps the feature map to the embedding
        size: of the images, in pixels
        trainable: of the recipe; frozen layers use their running statistics, so they accept single images

    Raises:
        ValueError: the network cannot be trained on a single image.
    """
    key = (config_key(backbone), config_key(head), size, trainable)
    if key not in _KNOWN:
        _KNOWN[key] = _complaint(backbone, head, size, trainable)
    if complaint := _KNOWN[key]:
        raise ValueError(
            f"recipe.batch_size: {title(backbone)} with head {head.name} cannot be trained on one image at a time "
            f"({complaint}); set recipe.batch_size to 2 at least for each part of recipe.accumulate and each of compute.devices"
        )


def _complaint(backbone: BackboneConfig, head: HeadConfig, size: Size, trainable: int | str) -> str | None:
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
        network = backbone.build().train()
        for layer in freeze(network, trainable) if trainable != "all" else []:
            layer.eval()
        try:
            features = network(torch.empty(1, 3, *sides(size)))
            head.build(*features.shape[1:]).train()(features)
        except Exception as error:  # raised by torch or by a user's layer
            return first_line(error)
    return None

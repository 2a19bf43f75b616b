"""Calls augmentations, and checks what they return."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from configs.contract import broken, naming
from configs.data_interfaces import Augmentation, BatchAugmentation

PAGE = "augmentation"  # of docs/extending


def augmented(augmentation: Augmentation, image: np.ndarray, seed: int) -> np.ndarray:
    """The augmented image, uint8 (height, width, 3) as ``image``.

    Raises:
        ContractError: the augmentation returns something else.
    """
    shape, found = image.shape, augmentation(image, seed)
    if not _is_image(found, shape):
        with naming("augmentation", str(augmentation.__module__)):
            raise broken("it returned", found, f"a numpy array uint8 {shape}, the shape of its input", PAGE)
    return found


def prepared(augmentation: BatchAugmentation, image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The loader's part: the image, uint8 as ``image``, and its parameters, float32 (P,); errors as ``augmented``."""
    shape, found = image.shape, augmentation.prepare(image, seed)
    with naming("augmentation", str(augmentation.__module__)):
        if not isinstance(found, tuple) or len(found) != 2:
            raise broken("prepare returned", found, "a tuple of an image and its parameters", PAGE)
        changed, parameters = found
        if not _is_image(changed, shape):
            raise broken("prepare returned the image", changed, f"a numpy array uint8 {shape}, the shape of its input", PAGE)
        if not isinstance(parameters, np.ndarray) or parameters.dtype != np.float32 or parameters.ndim != 1:
            raise broken("prepare returned the parameters", parameters, "a numpy array float32 (P,)", PAGE)
    return found


def applied(augmentation: BatchAugmentation, images: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
    """The device's part: uint8 (B, height, width, 3) as ``images``, given the parameters (B, P); errors as ``augmented``."""
    found: Any = augmentation.apply(images, parameters)
    if not isinstance(found, torch.Tensor) or found.dtype != torch.uint8 or found.shape != images.shape:
        with naming("augmentation", str(augmentation.__module__)):
            raise broken("apply returned", found, f"a tensor uint8 {tuple(images.shape)}, the shape of its input", PAGE)
    return found


def _is_image(found: Any, shape: tuple[int, ...]) -> bool:
    return isinstance(found, np.ndarray) and found.dtype == np.uint8 and found.shape == shape

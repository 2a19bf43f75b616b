"""Face crops as tensors, without the data module, whose engine takes seconds to import."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, 3) to float32 (3, H, W) in [-1, 1]: x / 127.5 - 1."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float().div_(127.5).sub_(1.0)


def tensors(images: Iterable[np.ndarray], device: str) -> torch.Tensor:
    """(H, W, 3) uint8 each to (N, 3, H, W) in [-1, 1]."""
    return torch.stack([to_tensor(image) for image in images]).to(device)

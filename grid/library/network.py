"""A trained network of a study, with the image preprocessing of its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from grid.results.model_loader import Trained
from grid.stages.explain import tensors
from grid.stages.train import new_network

BATCH = 64  # images per forward pass


class TrainedNetwork(nn.Module):
    """``network.embed(images)``; in evaluation mode, on the CPU until ``to`` moves it.

    Attributes:
        network: backbone, head and loss
        training_config: the resolved config of the training
        classes: number of training subjects; with several targets the number of classes of each, by name
        size: (height, width) of its input in pixels
    """

    def __init__(self, trained: Trained) -> None:
        from safetensors.torch import load_file

        super().__init__()
        self.training_config, self.title = trained.training, trained.title
        self.classes: int | dict[str, int] = trained.marker.facts["classes"]
        pixels = trained.training.input.pixels
        self.size = (pixels, pixels) if isinstance(pixels, int) else (pixels[0], pixels[1])
        self.network = new_network(trained.training, self.classes)
        self.network.load_state_dict(load_file(trained.path), strict=True)
        self.detector = trained.training.detector.build()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Float (N, 3, height, width) in [-1, 1] to logits (N, classes)."""
        logits: Tensor = self.network(images)
        return logits

    def crop(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Photographs, RGB uint8 (H, W, 3) of any sizes, to face crops for the network: uint8 (N, height, width, 3).

        Detector and crop are those of the training. If no face is found, the image's centre is used.
        """
        photographs = [images] if isinstance(images, np.ndarray) and images.ndim == 3 else list(images)
        for image in photographs:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(f"photographs are RGB, uint8, (height, width, 3); found {image.dtype} {image.shape}")
        found = self.detector.detect(photographs)
        size: Any = self.training_config.input.pixels
        return np.stack([self.detector.crop(image, one, size) for image, one in zip(photographs, found, strict=True)])

    def prepare(self, images: np.ndarray | Sequence[np.ndarray]) -> Tensor:
        """Photographs to network input: float (N, 3, height, width) in [-1, 1]."""
        return tensors(self.crop(images), self._device())

    @torch.no_grad()
    def embed(self, images: Any, normalize: bool = True) -> Any:
        """Embeddings of unit length (or unnormalised, with ``normalize=False``).

        Args:
            images: photographs, uint8 as for ``crop``: returns an array (N, D) float32. Or a float tensor (N, 3, height, width)
                in [-1, 1] of face crops: returns a tensor (N, D) on its device.
        """
        whole = isinstance(images, Tensor)
        batch = self._float(images) if whole else self.prepare(images)
        mode = self.network.training
        self.network.eval()
        try:
            found = torch.cat([self.network.embed(part) for part in torch.split(batch, BATCH)])
        finally:
            self.network.train(mode)
        if normalize:
            found = nn.functional.normalize(found.double(), dim=1).float()
        return found if whole else found.float().cpu().numpy()

    def _float(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or not images.is_floating_point() or tuple(images.shape[1:]) != (3, *self.size):
            wanted = f"(N, 3, {self.size[0]}, {self.size[1]})"
            raise ValueError(f"a tensor of faces is float {wanted} in [-1, 1]; found {images.dtype} {tuple(images.shape)}")
        return images

    def _device(self) -> str:
        return str(next(self.network.parameters()).device)

    def __repr__(self) -> str:
        return f"<network of {self.title}: {self.classes} classes, input {self.size[0]} x {self.size[1]}>"

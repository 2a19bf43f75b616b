"""A trained network of a study, with the image preprocessing of its training."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from configs.contract import described
from datamodules.images import from_pil, is_rgb, read_image
from datamodules.inference import batch_size, infer
from datamodules.tensors import tensors
from grid.results.model_loader import Trained
from grid.stages.train import new_network
from modules.attribution.hooks import evaluating

PHOTOGRAPHS = "photographs are RGB arrays uint8 (height, width, 3), paths of image files, or PIL images"

Photograph = np.ndarray | Image.Image | str | os.PathLike[str]


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

    def crop(self, images: Photograph | Sequence[Photograph]) -> np.ndarray:
        """Photographs to face crops for the network: uint8 (N, height, width, 3).

        Detector and crop are those of the training. If no face is found, the center of the image is used.

        Args:
            images: one photograph, or several of any sizes: RGB arrays uint8 (H, W, 3), paths of image files, or PIL images

        Raises:
            ValueError: something else was given, or a file is not an image.
        """
        single = isinstance(images, (str, os.PathLike, Image.Image)) or (isinstance(images, np.ndarray) and images.ndim == 3)
        several: Any = [images] if single else images
        if not isinstance(several, (Sequence, np.ndarray)) or len(several) == 0:
            raise ValueError(f"{PHOTOGRAPHS}; found {described(images)}")
        photographs = [photograph(image) for image in several]
        found = self.detector.detect(photographs)
        size: Any = self.training_config.input.pixels
        return np.stack([self.detector.crop(image, one, size) for image, one in zip(photographs, found, strict=True)])

    def prepare(self, images: Photograph | Sequence[Photograph]) -> Tensor:
        """Photographs, as for ``crop``, to network input: (N, 3, height, width) in [-1, 1], of the network's dtype."""
        return tensors(self.crop(images), self._device()).to(self._dtype())

    @torch.no_grad()
    def embed(self, images: Any, normalize: bool = True) -> Any:
        """Embeddings of unit length (or unnormalized, with ``normalize=False``).

        Args:
            images: photographs, as for ``crop``: returns an array (N, D) float32. Or a float tensor (N, 3, height, width) in
                [-1, 1] of face crops: returns a tensor (N, D) on its device. Both are computed in the network's dtype.

        Raises:
            ValueError: as ``crop``, or the tensor has another type or shape.
        """
        whole = isinstance(images, Tensor)
        with evaluating(self.network):
            if whole:
                parts = torch.split(self._float(images), batch_size(images.device, *self.size))
                found = torch.cat([self.network.embed(part) for part in parts])
            else:
                crops = self.crop(images)
                found = infer(self._embedding, crops.__getitem__, range(len(crops)), self._device())["embedding"]
        if normalize:
            found = nn.functional.normalize(found.double(), dim=1).float()
        return found if whole else found.float().numpy()

    def _embedding(self, images: Tensor) -> dict[str, Tensor]:
        return {"embedding": self.network.embed(images.to(self._dtype()))}

    def _float(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or not images.is_floating_point() or tuple(images.shape[1:]) != (3, *self.size):
            wanted = f"(N, 3, {self.size[0]}, {self.size[1]})"
            raise ValueError(f"a tensor of faces is float {wanted} in [-1, 1]; found {images.dtype} {tuple(images.shape)}")
        return images.to(self._dtype())

    def _device(self) -> str:
        return str(next(self.network.parameters()).device)

    def _dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def __repr__(self) -> str:
        return f"<network of {self.title}: {self.classes} classes, input {self.size[0]} x {self.size[1]}>"


def photograph(image: Any) -> np.ndarray:
    """A photograph, as an array, a path or a PIL image, to RGB uint8 (H, W, 3). A PIL image gives the pixels of its file.

    Raises:
        ValueError: it is none of these, or the file or the PIL image is refused; see ``datamodules.images``.
    """
    if isinstance(image, (str, os.PathLike)):
        return read_image(Path(image))
    if isinstance(image, Image.Image):
        return from_pil(image)
    if not is_rgb(image):
        raise ValueError(f"{PHOTOGRAPHS}; found {described(image)}")
    return image  # type: ignore[no-any-return]

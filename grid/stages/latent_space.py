"""A trained network and its decoder, applied to the studied images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datamodules.inference import infer
from datamodules.tensors import tensors
from grid.spec.training import Training
from grid.stages.context import Context, Faces, faces_of
from grid.stages.held_out import Studied, studied
from grid.stages.train import load_network
from modules.latent.attribute_labels import Attribute
from modules.latent.codes import code_of, decoded
from modules.network import Network


@dataclass(frozen=True, eq=False)
class Encoder:
    """Network, decoder, and the images of a study.

    Attributes:
        faces: crops of the training data
        studied: rows of the N studied images
        columns: labels of all images of the dataset, by name
    """

    network: Network
    faces: Faces
    studied: Studied
    columns: dict[str, Any]
    device: str

    @classmethod
    def of(cls, context: Context, training: Training, loaded: Training, kind: str, most: int) -> Encoder:
        """Loads the network trained by ``loaded`` in the upstream stage ``kind``, and chooses at most ``most`` images."""
        faces = faces_of(context, training.data, training.detector, training.input.pixels)
        network = load_network(context, loaded, context.inputs["train"].facts["classes"], kind)
        columns = dict(training.data.columns(faces.manifest))
        return cls(network, faces, studied(faces, training, most), columns, context.device)

    @cached_property
    def subjects(self) -> np.ndarray:
        """(N,): the identity of each studied image."""
        return np.array([self.faces.identities[row] for row in self.studied.rows])

    def attribute(self, name: str) -> tuple[Attribute, np.ndarray]:
        """(attribute of the studied images that have a known value, their places among the studied images)."""
        column = self.columns[name]
        places = np.flatnonzero(column.known[self.studied.rows])
        return Attribute(name, column.values[self.studied.rows[places]], column.classes), places

    def crops(self, rows: Any) -> np.ndarray:
        """uint8 (n, H, W, 3)."""
        return self.faces.crops.take([int(row) for row in rows])

    def codes(self, rows: Any) -> Tensor:
        """The codes (n, ...) of rows of the dataset, each computed separately."""
        with torch.inference_mode():
            found = [self.network.features(tensors(self.crops([row]), self.device)) for row in rows]
            return torch.cat([code_of(self.network.decoder, one) for one in found])

    def images(self, codes: Tensor) -> np.ndarray:
        """uint8 (n, H, W, 3) of codes (n, ...)."""
        with torch.inference_mode():
            return pixels(decoded(self.network.decoder, codes)).cpu().numpy()

    @cached_property
    def _passes(self) -> dict[str, np.ndarray]:
        decoder = self.network.decoder
        assert decoder is not None, "a study needs a decoder"

        def passed(images: Tensor) -> dict[str, Tensor]:
            features = self.network.features(images)
            return {
                "pooled": features.mean(dim=(2, 3)).double(),
                "embedding": self.network.head(features).double(),
                "image": pixels(decoder(features)),
            }

        found = infer(passed, self.faces.crops.take, self.studied.rows, self.device)
        return {name: values.numpy() for name, values in found.items()}

    @property
    def pooled(self) -> np.ndarray:
        """float64 (N, C): mean of the feature map over all locations."""
        return self._passes["pooled"]

    def vectors(self, kind: str) -> np.ndarray:
        """``pooled``, or of the ``embedding`` float64 (N, D), not normalized."""
        return self._passes[kind]

    @property
    def reconstructions(self) -> np.ndarray:
        """uint8 (N, H, W, 3)."""
        return self._passes["image"]


def pixels(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [-1, 1] to uint8 (N, H, W, 3), on the same device."""
    found = images.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return found.permute(0, 2, 3, 1)

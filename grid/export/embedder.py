"""An exported network at work: photographs in, embeddings and decisions out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from datamodules.images import read_image
from datamodules.inference import infer
from grid.export.package import Package
from grid.spec.grid_file import BadInput
from modules.shape_inference import feature_shape
from modules.weights.files import fit, read, under


class Plain(nn.Module):
    """Backbone and head: face crops (N, 3, H, W) in [-1, 1] to embeddings (N, dimension), not normalized."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.backbone(images))
        return found


def network_of(package: Package) -> Plain:
    """The network in evaluation mode, with the weights of the package.

    Raises:
        BadInput: the weights do not fit the network.
    """
    backbone = package.backbone.build()
    head = package.head.build(*feature_shape(package.backbone, package.size))
    try:
        found = read(package.weights)
        for part, module in (("backbone", backbone), ("head", head)):
            wanted = module.state_dict()
            if wanted:
                module.load_state_dict(fit(under(found, f"{part}.", package.weights), wanted, package.weights, part=part))
    except ValueError as error:
        raise BadInput(str(error)) from error
    return Plain(backbone, head).eval()


def cut_faces(
    files: Sequence[Path], config: Any, detector: Any, pixels: int | tuple[int, int]
) -> tuple[np.ndarray, list[np.ndarray], list[Any]]:
    """The faces of image files, uint8 (N, height, width, 3); the images; and what the detector found in each.

    Args:
        config: of the detector
        detector: built from it

    Raises:
        BadInput: a file is not an image, or has no face and the detector's policy is not to use the center.
    """
    try:
        images = [read_image(Path(file)) for file in files]
    except ValueError as error:
        raise BadInput(str(error)) from error
    faces = detector.detect(images)
    for file, face in zip(files, faces, strict=True):
        if not face.found and config.on_missing_face != "center_crop":
            raise BadInput(
                f"{file}: detector {config.name} finds no face, and the network was trained without such images "
                f"(on_missing_face: {config.on_missing_face})"
            )
    crops = [detector.crop(image, face, pixels) for image, face in zip(images, faces, strict=True)]
    return np.stack(crops), images, faces


class Embedder:
    """Finds the faces of photographs, crops them as in training and embeds them, on the CPU.

    Raises:
        BadInput: as ``network_of``.
    """

    def __init__(self, package: Package) -> None:
        self.package = package
        self.network = network_of(package)
        self.detector = package.detector.build()

    def crops(self, files: Sequence[Path]) -> tuple[np.ndarray, list[bool]]:
        """The faces of image files, uint8 (N, height, width, 3), and whether each was found; errors as ``cut_faces``."""
        crops, _, faces = cut_faces(files, self.package.detector, self.detector, self.package.input.pixels)
        return crops, [bool(face.found) for face in faces]

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Face crops uint8 (N, height, width, 3) to embeddings of unit length, float32 (N, dimension).

        With the mirror images added if the threshold was measured so.

        Raises:
            BadInput: an embedding has length 0.
        """

        def summed(images: torch.Tensor) -> dict[str, torch.Tensor]:
            total = self.network(images)
            return {"embedding": total + self.network(images.flip(3)) if self.package.flip_test else total}

        vectors = infer(summed, crops.__getitem__, range(len(crops)), "cpu")["embedding"].double().numpy()
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(norms) & (norms > 0)).all():
            raise BadInput(f"{self.package.folder}: the network gives an embedding of length 0, which has no direction")
        return np.asarray((vectors / norms).astype(np.float32))

    def verify(self, one: Path, other: Path, threshold: float | None = None) -> dict[str, Any]:
        """The similarity of two photographs, and the decision by the threshold of the package, or the given one.

        Raises:
            BadInput: as ``crops`` and ``embed``; neither the package nor the caller has a threshold.
        """
        recorded = self.package.record.get("threshold") or {}
        limit = recorded.get("threshold") if threshold is None else threshold
        if limit is None:
            raise BadInput(
                f"{self.package.folder}: exported without a threshold ({recorded.get('reason', 'none was measured')}); give "
                "--threshold"
            )
        crops, found = self.crops([one, other])
        vectors = self.embed(crops).astype(np.float64)
        similarity = float(vectors[0] @ vectors[1])
        return {
            "similarity": similarity,
            "threshold": float(limit),
            "same": similarity >= limit,
            "fmr": recorded.get("fmr") if threshold is None else None,
            "tmr": recorded.get("tmr") if threshold is None else None,
            "protocol": recorded.get("protocol") if threshold is None else None,
            "faces": [{"file": str(file), "found": face} for file, face in zip((one, other), found, strict=True)],
        }

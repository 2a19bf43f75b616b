"""Writes a network as an ONNX file and compares its embeddings with PyTorch's."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

TOLERANCE = 1e-5  # largest difference of embeddings of unit length
IMAGES = 8  # compared


def write_onnx(network: nn.Module, size: tuple[int, int], path: Path) -> dict[str, Any]:
    """Writes ``path`` with the input ``images`` (N, 3, height, width) and the output ``embeddings`` (N, dimension).

    Returns:
        ``largest_difference`` between the embeddings of unit length of PyTorch and of ONNX Runtime, on uniform noise;
        ``tolerance``, ``images``, ``opset``.

    Raises:
        ValueError: PyTorch cannot export the network, or the two differ by more than ``TOLERANCE``.
    """
    import onnx
    import onnxruntime

    images = torch.rand(IMAGES, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network,
                (images[:2],),
                path,
                dynamo=True,
                external_data=False,
                input_names=["images"],
                output_names=["embeddings"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                verbose=False,
            )
    except Exception as error:  # the exporter has many kinds of errors
        raise ValueError(f"PyTorch cannot export this network to ONNX ({' '.join(str(error).split())[:300]})") from error
    finally:
        quiet.setLevel(level)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        theirs = network(images).double().numpy()
    ours = session.run(["embeddings"], {"images": images.numpy()})[0].astype(np.float64)
    largest = float(np.abs(_units(ours) - _units(theirs)).max())
    if not largest <= TOLERANCE:
        raise ValueError(f"{path}: embeddings differ from PyTorch's by {largest:.2g}; at most {TOLERANCE:g} is accepted")
    opset = next(one.version for one in onnx.load_model(path, load_external_data=False).opset_import if not one.domain)
    return {"largest_difference": largest, "tolerance": TOLERANCE, "images": IMAGES, "opset": int(opset)}


def _units(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

"""Runs an ONNX file once on noise: what its outputs are, and whether it stays within the limits of ``onnx_process``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from modules.weights.onnx_process import ONE_IMAGE, SECONDS, OnnxProcess


def trial(
    path: Path, input_name: str, shape: tuple[int, ...], memory: int = ONE_IMAGE, seconds: float = SECONDS
) -> dict[str, list[int]]:
    """Output name -> shape, of one run on gray noise.

    Args:
        path: an ONNX file that ``onnx_files.inspect`` has accepted
        input_name: of the images
        shape: of the batch

    Raises:
        ValueError: see ``OnnxProcess.run``.
    """
    facts = path.stat()
    found = _trial(path, facts.st_mtime_ns, facts.st_size, input_name, shape, memory, seconds)
    return {name: list(sides) for name, sides in found.items()}


@cache
def _trial(
    path: Path, _: int, __: int, input_name: str, shape: tuple[int, ...], memory: int, seconds: float
) -> dict[str, list[int]]:
    import numpy as np

    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    process = OnnxProcess(path, memory=memory, seconds=seconds, each=0)
    try:
        return process.shapes(input_name, images)
    finally:
        process.close()

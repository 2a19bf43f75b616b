"""Runs a network over many images: the next batches are read and cropped beside it, and results stay on the device.

Pixels travel as uint8, a quarter of the bytes, and are normalized on the device. Results are copied to the host only when a
chunk of them is full, so no batch waits for the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from configs.data_interfaces import Progress
from datamodules.normalization import normalized
from datamodules.prefetching import ahead

BATCH = 64  # images per batch on a CPU; constant, because the batch size can affect the last bit
PIXELS = 256 * 112 * 112  # of a batch on a GPU: enough to occupy it, with a few GB of feature maps in the largest networks
FEWEST, MOST = 32, 1024  # images per batch on a GPU
CHUNK = 1 << 28  # bytes of results kept on the device before they are copied to the host

Precision = Literal["32-true", "bf16-mixed"]
Take = Callable[[Sequence[int]], np.ndarray]
"""Rows to their images, uint8 (n, height, width, 3)."""


def batch_size(device: torch.device | str, height: int, width: int) -> int:
    """Images per batch: on a CPU always ``BATCH``, elsewhere the power of two with about ``PIXELS`` pixels."""
    if torch.device(device).type == "cpu":
        return BATCH
    return int(2 ** np.clip(round(float(np.log2(PIXELS / (height * width)))), np.log2(FEWEST), np.log2(MOST)))


def infer(
    function: Callable[[Tensor], Mapping[str, Tensor]],
    take: Take,
    rows: Sequence[int] | np.ndarray,
    device: torch.device | str,
    precision: Precision = "32-true",
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """What ``function`` makes of the images ``rows``, in their order, on the CPU.

    On a CPU, batches are always ``BATCH`` images, so the same rows give the same bits.

    Args:
        function: images float32 (n, 3, height, width) in [-1, 1] on ``device`` to tensors (n, ...) by name; runs in
            inference mode
        take: called in a thread, for one batch at a time
        rows: at least one
        precision: ``bf16-mixed``: under autocast to bfloat16, with images in channels-last format
    """
    assert len(rows), "no images"
    device, half = torch.device(device), precision == "bf16-mixed"
    waiting, copied = list[Mapping[str, Tensor]](), list[Mapping[str, Tensor]]()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        done = size = 0
        for block in ahead(_blocks(take, rows, device)):
            images = normalized(block.to(device, non_blocking=True), channels_last=half)
            waiting.append(function(images))
            size += sum(value.nbytes for value in waiting[-1].values())
            done += len(block)
            if size >= CHUNK or done == len(rows):
                copied.append({name: value.cpu() for name, value in _joined(waiting).items()})
                waiting, size = [], 0
            if progress is not None:
                progress(done, len(rows))
        return _joined(copied)


def _blocks(take: Take, rows: Sequence[int] | np.ndarray, device: torch.device) -> Iterator[Tensor]:
    """The images, uint8 (n, height, width, 3), one batch at a time, in pinned memory if they go to a GPU."""
    every = np.asarray(rows, np.int64)
    size = BATCH if device.type == "cpu" else batch_size(device, *take(every[:1].tolist()).shape[1:3])
    for start in range(0, len(every), size):
        block = torch.from_numpy(np.ascontiguousarray(take(every[start : start + size].tolist())))
        yield block.pin_memory() if device.type == "cuda" else block


def _joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

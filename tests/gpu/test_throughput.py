"""One table of speeds, each beside that of a peer in the same run: ``make gpu``, or pytest with ``-s`` on this file alone.

A measurement that fails prints its error and fails its test; the others go on. A missed aim fails no test, because times depend
on the machine.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
import throughput_explanations
import throughput_images
import throughput_losses
import throughput_steps
import torch
from on_device import described
from throughput_table import heading

pytestmark = pytest.mark.alone
ROWS = {**throughput_steps.ROWS, **throughput_losses.ROWS, **throughput_images.ROWS, **throughput_explanations.ROWS}
COMPILE = "FACEGRID_GPU_COMPILE"  # environment variable: also measure what takes long to compile
if os.environ.get(COMPILE):
    ROWS |= throughput_steps.SLOW


@pytest.fixture(scope="module")
def table(device: str) -> None:
    note = "" if device == "cuda" else "\ntried on the CPU at small sizes: its times say nothing"
    print(f"\n{described()}{note}\n\n{heading()}", end="", flush=True)


@pytest.fixture(autouse=True)
def free_memory() -> Iterator[None]:
    yield
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("work", ROWS)
def test_speed(table: None, device: str, work: str) -> None:
    try:
        for row in ROWS[work](device):
            print(f"\n{row if device == 'cuda' else replace(row, aim='', met=None)}", end="", flush=True)
    except Exception as error:
        print(f"\n| {work}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]} |", end="", flush=True)
        raise

"""Which errors say that memory ran out, and what is said about it."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from grid.execution.out_of_memory import advice, exhausted, loader_lost
from grid.spec.training import Training
from grid.stages.ranks import HelperError
from grid.tracebacks import error_line

TRAINING = {"data": "drawn", "backbone": "alexnet", "recipe": {"name": "one_cycle", "batch_size": 64}}


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "gpu"),
        (HelperError("OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"), "gpu"),
        (torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), "gpu"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "gpu"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), "gpu"),
        (HelperError("AcceleratorError: CUDA error: out of memory"), "gpu"),
        (HelperError("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory"), "host"),
        (MemoryError(), "host"),
        (HelperError("MemoryError: cannot"), "host"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
        (ValueError("OutOfMemoryError is a word"), None),
        (ValueError("CUDA error: out of memory"), None),
        (HelperError("no such face"), None),
    ],
)
def test_errors_about_memory_are_told_from_others(error: Exception, memory: str | None) -> None:
    assert exhausted(error) == memory


def test_torch_without_memory_on_the_cpu() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert exhausted(caught.value) == "host"


class Killed(torch.utils.data.Dataset[int]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, row: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return row


def test_a_loader_process_that_is_killed_is_distinguished_from_one_that_raises() -> None:
    def load() -> None:
        list(torch.utils.data.DataLoader(Killed(), num_workers=1))

    with ThreadPoolExecutor(1) as thread:  # as in a process of Ray, where torch does not know the signal
        for call in (load, lambda: thread.submit(load).result()):
            with pytest.raises(RuntimeError) as caught:
                call()
            said = loader_lost(caught.value)
            assert re.fullmatch(r"a loader process was lost \(DataLoader worker \(pid.* lower launch.workers", str(said))
            assert loader_lost(HelperError(error_line(caught.value))) is not None
    raised = "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback: DataLoader worker (pid 7)"
    assert loader_lost(RuntimeError(raised)) is loader_lost(ValueError("DataLoader worker (pid 7) is killed")) is None


def test_the_advice_names_the_settings_of_the_stage() -> None:
    training = Training.model_validate(TRAINING)
    assert advice("gpu", "1 GPU", {"training": training}) == (
        "out of GPU memory with 1 GPU, recipe.batch_size 64: lower recipe.batch_size or input.size, raise recipe.accumulate, "
        "or use compute.precision: bf16-mixed"
    )
    parts = Training.model_validate({**TRAINING, "recipe": {**TRAINING["recipe"], "accumulate": 4}})  # type: ignore[dict-item]
    assert "recipe.batch_size 64 and recipe.accumulate 4: lower" in advice("host", "", {"training": parts})
    assert advice("gpu", "") == "out of GPU memory: use a GPU with more memory"

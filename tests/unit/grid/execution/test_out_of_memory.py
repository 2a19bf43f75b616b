"""Which errors say that memory ran out, and what is said about it."""

from __future__ import annotations

import pytest
import torch

from grid.execution.out_of_memory import advice, exhausted
from grid.spec.training import Training
from grid.stages.ranks import HelperError

TRAINING = {"data": "drawn", "backbone": "alexnet", "recipe": {"name": "one_cycle", "batch_size": 64}}


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "gpu"),
        (HelperError("OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"), "gpu"),
        (torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"), "gpu"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "gpu"),
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


def test_the_advice_names_the_settings_of_the_stage() -> None:
    training = Training.model_validate(TRAINING)
    assert advice("gpu", "1 GPU", {"training": training}) == (
        "out of GPU memory with 1 GPU, recipe.batch_size 64: lower recipe.batch_size or input.size, raise recipe.accumulate, "
        "or use compute.precision: bf16-mixed"
    )
    parts = Training.model_validate({**TRAINING, "recipe": {**TRAINING["recipe"], "accumulate": 4}})  # type: ignore[dict-item]
    assert "recipe.batch_size 64 and recipe.accumulate 4: lower" in advice("host", "", {"training": parts})
    assert advice("gpu", "") == "out of GPU memory: use a GPU with more memory"

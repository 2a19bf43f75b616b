"""Errors that say that memory ran out, or a loader process was lost: which memory, and what the user can do."""

from __future__ import annotations

import gc
from typing import Any

from grid.execution.slots import Memory
from grid.spec.training import Training
from grid.stages.ranks import HelperError

# of CUDA itself, as where processes share a GPU
GPU_WORDS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
HOST_WORDS = "DefaultCPUAllocator: can't allocate memory"
LOADER_WORDS = "DataLoader worker (pid"  # of torch, which knows the signal only where it loads in the main thread


def exhausted(error: BaseException) -> Memory | None:
    """The memory that ran out, if that is what an exception of a stage says."""
    import torch

    text = str(error)
    helper = isinstance(error, HelperError)  # its message is that of the exception in another rank
    if isinstance(error, torch.OutOfMemoryError) or (helper and text.startswith("OutOfMemoryError")):
        return "gpu"
    if isinstance(error, MemoryError) or (helper and text.startswith("MemoryError")):
        return "host"
    if not (helper or isinstance(error, RuntimeError)):
        return None
    if any(words in text for words in GPU_WORDS):
        return "gpu"
    return "host" if HOST_WORDS in text else None


def loader_lost(error: BaseException) -> str | None:
    """That a loader process of a stage was lost, and what may help, on one line; None if an exception says something else."""
    text = str(error)
    if isinstance(error, HelperError):
        text = text.removeprefix("RuntimeError: ")
    elif not isinstance(error, RuntimeError):
        return None
    if not text.startswith(LOADER_WORDS):
        return None
    return f"a loader process was lost ({' '.join(text.split())}); if memory or /dev/shm is full, lower launch.workers"


def free_gpu_memory() -> None:
    """Returns what an ended stage held to the GPU, for other processes. Trainings hold themselves in cycles of references."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def advice(memory: Memory, slot: str, configs: Any = None) -> str:
    """What ran out and what to lower, on one line.

    Args:
        slot: what was reserved, in words; may be empty
        configs: of the stage, by name; None: not known
    """
    training = (configs or {}).get("training")
    what = "GPU memory" if memory == "gpu" else "memory"
    where = f" with {slot}" if slot else ""
    if not (isinstance(training, Training) and training.recipe.trains):
        larger = "a GPU with more memory" if memory == "gpu" else "a node with more memory, or lower launch.workers"
        return f"out of {what}{where}: use {larger}"
    recipe = training.recipe
    parts = f" and recipe.accumulate {recipe.batch_size // recipe.part_size}" if recipe.part_size != recipe.batch_size else ""
    ways = "lower recipe.batch_size or input.size, raise recipe.accumulate"
    more = "or use compute.precision: bf16-mixed" if memory == "gpu" else "or lower launch.workers"
    return f"out of {what}{where}, recipe.batch_size {recipe.batch_size}{parts}: {ways}, {more}"

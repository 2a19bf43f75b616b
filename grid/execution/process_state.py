"""The state of a process while it computes a stage: the same in a reused process as in a fresh one."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Mapping

from configs.component import Config
from grid.spec.training import Training


@contextlib.contextmanager
def fresh_process_state(configs: Mapping[str, Config]) -> Iterator[None]:
    """Makes a reused worker compute exactly like a fresh one: sets seeds, threads and modes, and restores them afterwards.

    Algorithms are deterministic, and float32 has its full precision on GPUs; only training itself may do otherwise, see
    ``grid.spec.training.Compute``.
    """
    import cv2
    import numpy as np
    import torch

    from configs.float32_precision import without_tf32
    from modules.training.determinism import unfilled

    training = configs.get("training")
    compute = training.compute if isinstance(training, Training) else None
    seed = training.seed if isinstance(training, Training) else 0
    threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
    dtype = torch.get_default_dtype()
    deterministic, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - third-party code may still draw from it
        _seed(seed)
        torch.set_num_threads(compute.threads if compute else 1)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(True)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required for deterministic cuBLAS
        cv2.setNumThreads(1)
        with unfilled(), without_tf32():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _seed(seed: int) -> None:
    """``torch.manual_seed``. Without a GPU, that notes for each call where it came from, for devices that never come."""
    import torch

    if torch.cuda.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)

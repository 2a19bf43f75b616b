"""Compares float32 on a device with float32 on the CPU, each by its distance from float64 on the CPU.

So the tolerance follows from the computation: a device may be ``FACTOR`` times as far from float64 as the CPU is, and ``floor``
more. TF32 has ten bits of mantissa, 1e-3, and is beyond ``VALUES``. The gradient has no such bound: a ReLU or a maximum that
rounding decides otherwise changes it by the share of one unit in its layer; hence ``GRADIENTS``, and ``shaken``: how far
rounding of the input alone moves it in float64.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CHOICE = "FACEGRID_GPU_DEVICE"  # environment variable: "cuda" or "cpu"
FACTOR = 5.0
ROUNDING = 1e-6
VALUES, GRADIENTS = 1e-4, 1e-2  # relative to the L2 norm


def described() -> str:
    """The card, its driver, and the versions of PyTorch, CUDA and cuDNN; one line."""
    if not torch.cuda.is_available():
        return f"no CUDA device; PyTorch {torch.__version__}"
    card = torch.cuda.get_device_properties(0)
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        driver = "unknown"
    return (
        f"{card.name}, {card.total_memory / 2**30:.0f} GiB, driver {driver}; PyTorch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}; {os.cpu_count()} CPU cores"
    )


def agree(run: Callable[[str, torch.dtype], Mapping[str, Any]], device: str, floors: Mapping[str, float]) -> None:
    """Asserts that float32 on ``device`` is as exact as float32 on the CPU.

    Args:
        run: (device, dtype) to results by name: tensors or arrays; the same computation each time
        floors: name -> tolerance beyond that of the CPU, relative to the L2 norm
    """
    exact, plain, ours = (
        {name: _array(value) for name, value in run(*place).items()}
        for place in (("cpu", torch.float64), ("cpu", torch.float32), (device, torch.float32))
    )
    assert exact.keys() == plain.keys() == ours.keys() == floors.keys()
    for name, truth in exact.items():
        scale = np.linalg.norm(truth)
        assert np.isfinite(scale), name
        assert scale > 0, f"{name} is zero, so it shows nothing"
        cpu, here = (np.linalg.norm(found[name] - truth) / scale for found in (plain, ours))
        assert here <= FACTOR * cpu + floors[name], f"{name}: {here:.2e} from float64, the CPU {cpu:.2e}"


def shaken(run: Callable[[float, int], Tensor]) -> float:
    """The largest relative change of a result in float64 over a few changes of its input by about a rounding of float32.

    Args:
        run: (relative size of the change, its seed) to the result
    """
    exact = run(0.0, 0)
    return max(float((run(ROUNDING, seed) - exact).norm() / exact.norm()) for seed in range(6))


def _array(value: Any) -> np.ndarray:
    found = value.detach().double().cpu().numpy() if isinstance(value, Tensor) else value
    return np.array(found, np.float64)  # a copy: the next run changes buffers in place


def gradient(module: nn.Module) -> Tensor:
    """All gradients of a module's parameters in one vector."""
    return torch.cat([one.grad.detach().double().cpu().flatten() for one in module.parameters() if one.grad is not None])


def without_chance(module: nn.Module) -> nn.Module:
    """The module in training mode with dropout and stochastic depth off: these draw from the generator of each device."""
    module.train()
    for part in module.modules():
        if "Drop" in type(part).__name__:
            part.eval()
    return module

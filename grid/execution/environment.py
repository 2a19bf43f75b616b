"""What a result depends on besides its identity and the code: the device, its driver, and library versions."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grid.processor import processor

LIBRARIES = ("torch", "torchvision", "pytorch-lightning", "numpy", "opencv-python-headless", "facenet-pytorch")
DRIVER = Path("/proc/driver/nvidia/version")


def environment(accelerator: str, tf32: bool) -> dict[str, Any]:
    """The environment of this process, as JSON.

    Args:
        accelerator: "gpu" or "cpu"
        tf32: whether float32 products were allowed to use it

    Returns:
        ``device``: "cpu", or the name of the GPU; ``processor``: the name of the CPU; ``python`` and each of ``LIBRARIES``: its
        version; ``tf32``; with a GPU also ``driver``, ``cuda`` and ``cudnn``
    """
    found = {"device": "cpu", "tf32": tf32 and accelerator == "gpu", **_versions()}
    if accelerator == "gpu":
        import torch

        library: Any = torch.backends.cudnn
        cudnn = library.version()
        found |= {"device": torch.cuda.get_device_name(), "driver": driver(DRIVER), "cuda": torch.version.cuda, "cudnn": cudnn}
    return found


@cache
def _versions() -> dict[str, str]:
    return {"processor": processor(), "python": platform.python_version(), **{name: _version(name) for name in LIBRARIES}}


def _version(name: str) -> str:
    """The version of the module itself where it tells: a distribution may lack its build, as in 2.11.0+cu130."""
    if name == "torch":
        import torch

        return str(torch.__version__)
    try:
        return version(name)
    except ModuleNotFoundError:  # not installed as a distribution, such as a folder on PYTHONPATH
        return "unknown"


def driver(path: Path) -> str:
    """The version of NVIDIA's driver, from the file that it provides; "unknown" without it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown"
    match = re.search(r"^NVRM version:.*?\s(\d+(?:\.\d+)+)\s", text, re.MULTILINE)
    return match[1] if match else "unknown"

"""Facts about one machine that a launch depends on: versions, GPUs, free disk. Runs on every node of a cluster."""

from __future__ import annotations

import platform
import shutil
import socket
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SIDE = 256  # rows and columns of the matrices that a GPU multiplies


def node_facts(packages: Sequence[str], store: str | None) -> dict[str, Any]:
    """The facts of this machine, as plain data.

    Args:
        packages: names of distributions
        store: a folder whose disk matters, if the store is one

    Returns:
        ``host``; ``versions``: package -> version, None where it is not installed, with ``python``; ``free``: folder -> free
        bytes of its disk
    """
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    folders = [tempfile.gettempdir(), *([store] if store is not None and Path(store).is_dir() else [])]
    free = {folder: shutil.disk_usage(folder).free for folder in folders}
    return {"host": socket.gethostname(), "versions": found, "free": free}


def gpu_facts() -> list[dict[str, Any]]:
    """The GPUs that this process sees: ``name``, ``gib`` (memory) and ``error``, None if it multiplies matrices correctly."""
    import torch

    found = []
    for number in range(torch.cuda.device_count()):
        facts: dict[str, Any] = {"name": f"GPU {number}", "gib": None, "error": None}
        try:
            device = torch.device("cuda", number)
            facts["name"] = torch.cuda.get_device_name(device)
            facts["gib"] = round(torch.cuda.get_device_properties(device).total_memory / 2**30, 1)
            facts["error"] = wrong_product(device)
        except RuntimeError as error:
            facts["error"] = " ".join(str(error).split())
        found.append(facts)
    return found


def wrong_product(device: Any) -> str | None:
    """None if the device multiplies two integer-valued matrices exactly as integer arithmetic does, otherwise what is wrong.

    Entries are below 8, so that every partial sum is a whole number below 2^24 and each order of summation is exact.
    """
    import torch

    rows = torch.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    left, right = (rows * 7919 // 3) % 8, (rows * 104729 // 5) % 8
    found = (left.to(device, torch.float32) @ right.to(device, torch.float32)).cpu()
    expected = left @ right
    wrong = int((found != expected).sum())
    return f"{wrong} of {expected.numel()} entries of a product of matrices are wrong" if wrong else None

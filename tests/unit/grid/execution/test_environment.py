"""What a marker says of device and libraries."""

import platform
from pathlib import Path

import numpy as np
import pytest
import torch

from grid.execution.environment import LIBRARIES, driver, environment

OPEN = """NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (root@host)  Tue Sep 23 2025
GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)
"""
CLOSED = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n"


def test_a_cpu_has_no_driver_and_no_tf32() -> None:
    found = environment("cpu", tf32=True)
    assert list(found) == ["device", "tf32", "processor", "python", *LIBRARIES]
    assert (found["device"], found["tf32"], found["python"]) == ("cpu", False, platform.python_version())
    assert (found["torch"], found["numpy"]) == (torch.__version__, np.__version__)


def test_a_gpu_is_named_with_its_driver_and_tf32_as_it_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    found = environment("gpu", tf32=True)
    assert (found["device"], found["tf32"], found["cuda"], found["cudnn"]) == ("NVIDIA H100", True, torch.version.cuda, 91002)
    assert environment("gpu", tf32=False)["tf32"] is False


@pytest.mark.parametrize(("text", "wanted"), [(OPEN, "580.95.05"), (CLOSED, "535.183.01"), ("something else", "unknown")])
def test_the_version_of_the_driver_is_read_from_its_file(text: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "version").write_text(text)
    assert driver(tmp_path / "version") == wanted
    assert driver(tmp_path / "absent") == "unknown"

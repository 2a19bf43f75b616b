"""Facts about this machine."""

from __future__ import annotations

import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cluster import node_facts
from cluster.node_facts import SIDE, gpu_facts, wrong_product


def test_versions_are_those_that_python_imports_and_a_missing_package_has_none(tmp_path: Path) -> None:
    found = node_facts.node_facts(["numpy", "no-such-package-1f3a"], str(tmp_path))
    assert found["versions"] == {"python": platform.python_version(), "numpy": np.__version__, "no-such-package-1f3a": None}
    assert set(found["free"]) == {tempfile.gettempdir(), str(tmp_path)}
    assert found["free"][str(tmp_path)] == pytest.approx(shutil.disk_usage(tmp_path).free, abs=1 << 30)


def test_a_store_that_is_no_folder_here_has_no_disk(tmp_path: Path) -> None:
    assert str(tmp_path / "absent") not in node_facts.node_facts([], str(tmp_path / "absent"))["free"]


def test_a_product_of_matrices_is_that_of_integers() -> None:
    assert wrong_product(torch.device("cpu")) is None


def test_a_device_that_computes_one_entry_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    product = torch.Tensor.__matmul__

    def broken(left: Any, right: Any) -> Any:
        found = product(left, right)
        if left.dtype == torch.float32:
            found[3, 4] += 1
        return found

    monkeypatch.setattr(torch.Tensor, "__matmul__", broken)
    assert wrong_product(torch.device("cpu")) == f"1 of {SIDE * SIDE} entries of a product of matrices are wrong"


def test_as_many_gpus_as_torch_sees() -> None:
    found = gpu_facts()
    assert len(found) == torch.cuda.device_count()
    assert all(one["error"] is None for one in found)

"""The device of all tests here, the card in the header, and float32 without TF32."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
import torch
from on_device import CHOICE, described

# PyTorch looks at this once per process, at the first matrix product.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def pytest_report_header() -> str:
    return described()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Shows a failure at once: a machine with a GPU may not be there for long."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\n{report.nodeid} ({report.when})\n{report.longreprtext}", flush=True)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """No dot after a row of the table of speeds."""
    rows = report.when == "call" and report.passed and "test_throughput" in report.nodeid
    return ("passed", "", "") if rows else None


@pytest.fixture(scope="session")
def device() -> str:
    """ "cuda", or what ``FACEGRID_GPU_DEVICE`` names: "cpu" tries the tests without a GPU, at small sizes."""
    found = os.environ.get(CHOICE, "cuda")
    if found == "cuda" and not torch.cuda.is_available():
        pytest.skip(f"no CUDA device ({CHOICE}=cpu tries these tests on the CPU)")
    return found


@pytest.fixture
def cuda(device: str) -> str:
    """For what only CUDA has."""
    if device != "cuda":
        pytest.skip("only CUDA has this")
    return device


@pytest.fixture
def accelerator(device: str) -> str:
    """The device as an argument of ``modules.training.trainer.fit``."""
    return "gpu" if device == "cuda" else "cpu"


@pytest.fixture(autouse=True)
def full_float32() -> None:
    """No TF32, whatever an earlier test left."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


@pytest.fixture(autouse=True, scope="module")
def without_ray_and_mlflow() -> Iterator[None]:
    """A machine may have neither: no test here may import them."""
    before = {name for name in ("ray", "mlflow") if name in sys.modules}
    yield
    now = {name for name in ("ray", "mlflow") if name in sys.modules}
    assert now == before, f"imported {sorted(now - before)}"

"""Says in one line whether this machine and this Python can run tests/gpu; ``make gpu`` asks first."""

from __future__ import annotations

import importlib.util
import os
import sys

NEEDED = (  # what the tests import, beside PyTorch
    *("torchvision", "pytorch_lightning", "timm", "numpy", "scipy", "skimage", "pandas", "pyarrow"),
    *("PIL", "cv2", "yaml", "pydantic", "captum", "albumentations", "facenet_pytorch", "pytorch_metric_learning", "psutil"),
    *("safetensors", "matplotlib", "rich", "pytest", "pytest_timeout", "xdist"),
)


def missing() -> str | None:
    """Why the tests cannot run, and what to do; None if they can."""
    python = f"{sys.executable} (Python {sys.version_info.major}.{sys.version_info.minor})"
    if importlib.util.find_spec("torch") is None:
        return f"make gpu: {python} has no PyTorch; set PYTHON to one that has it, or run make env first"
    if absent := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        return f"make gpu: {python} lacks {', '.join(absent)}; install them, or put them into a folder on PYTHONPATH"
    import torch

    if os.environ.get("FACEGRID_GPU_DEVICE", "cuda") == "cuda" and not torch.cuda.is_available():
        return (
            f"make gpu: PyTorch {torch.__version__} of {python} finds no CUDA device; FACEGRID_GPU_DEVICE=cpu tries the tests"
        )
    return None


if __name__ == "__main__":
    sys.exit(missing())

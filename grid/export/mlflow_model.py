"""Logs an exported network to MLflow as a model with a signature, and registers it."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from grid.export.package import ONNX, RECORD, Package
from grid.spec.grid_file import BadInput
from grid.tracking.uri import quiet

CODE = Path(__file__).with_name("pyfunc_model.py")


def model_arguments(package: Package) -> dict[str, Any]:
    """The arguments of ``mlflow.pyfunc.log_model`` and ``save_model`` for a package."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    height, width = package.size
    dimension = int(package.record["embedding"]["dimension"])
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.uint8), (-1, height, width, 3))]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, dimension))]),
    )
    return {
        "python_model": str(CODE),
        "artifacts": {"folder": str(package.folder)},
        "signature": signature,
        "pip_requirements": [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "onnxruntime")],
        "metadata": {key: package.record[key] for key in ("title", "preprocessing", "embedding", "threshold")},
    }


def log_model(package: Package, tracking: str, name: str) -> dict[str, str]:
    """Logs the package as a LoggedModel of its own experiment, and registers a version of ``name``.

    Returns:
        ``model_id``, ``uri``, ``registered`` (name and version).

    Raises:
        BadInput: MLflow cannot be reached, or refuses it; one line.
    """
    quiet()
    import mlflow

    if not (package.folder / ONNX).is_file() or not (package.folder / RECORD).is_file():
        raise BadInput(f"{package.folder}: lacks {ONNX}; export the network again")
    before = mlflow.get_tracking_uri()
    try:
        mlflow.set_tracking_uri(tracking)
        mlflow.set_experiment(f"{name} models")
        with mlflow.start_run(run_name=str(package.record["title"])):
            logged = mlflow.pyfunc.log_model(name="model", registered_model_name=name, **model_arguments(package))
    except Exception as error:  # MLflow has many kinds of errors, of its own and of its databases
        line = " ".join(str(error).split())[:300]
        raise BadInput(
            f"MLflow at {tracking} did not take the model ({line}); the folder {package.folder} is complete"
        ) from error
    finally:
        mlflow.set_tracking_uri(before)
    return {
        "model_id": str(logged.model_id),
        "uri": str(logged.model_uri),
        "registered": f"{name} version {logged.registered_model_version}",
    }

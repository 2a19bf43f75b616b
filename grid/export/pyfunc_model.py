"""The MLflow model of an exported network: face crops in, embeddings out. Needs MLflow, ONNX Runtime and NumPy, not facegrid.

MLflow stores this file itself ("models from code"), so loading the model unpickles nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class FaceEmbeddings(PythonModel):  # type: ignore[misc]
    """uint8 RGB crops (N, height, width, 3) to embeddings of unit length, float32 (N, dimension)."""

    def load_context(self, context: Any) -> None:
        import onnxruntime

        folder = Path(context.artifacts["folder"])
        self.flip_test = bool(json.loads((folder / "facegrid.json").read_text(encoding="utf-8"))["embedding"]["flip_test"])
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def predict(self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None) -> np.ndarray:
        """See the class."""
        images = np.asarray(model_input, np.float32).transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
        views = [images, images[..., ::-1]] if self.flip_test else [images]
        total = sum(
            self.session.run(["embeddings"], {"images": np.ascontiguousarray(view)})[0].astype(np.float64) for view in views
        )
        found: np.ndarray = (total / np.linalg.norm(total, axis=1, keepdims=True)).astype(np.float32)
        return found


set_model(FaceEmbeddings())

"""The MLflow model of an exported network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.export.embedder import Embedder
from grid.export.mlflow_model import log_model, model_arguments
from grid.spec.grid_file import BadInput

CROPS = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.mark.slow
def test_the_pyfunc_gives_the_embeddings_of_the_package(package: Any, tmp_path: Path) -> None:
    import mlflow

    mlflow.pyfunc.save_model(str(tmp_path / "model"), **model_arguments(package))
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_allclose(model.predict(CROPS), Embedder(package).embed(CROPS), atol=1e-5)
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 64, 64, 3)
    assert model.metadata.signature.outputs.inputs[0].shape == (-1, 16)
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(CROPS[:, :32])


def test_a_server_that_does_not_answer_is_one_line(package: Any) -> None:
    with pytest.raises(BadInput, match="did not take the model") as error:
        log_model(package, "sqlite:////proc/none/mlflow.db", "faces")
    assert "\n" not in str(error.value)

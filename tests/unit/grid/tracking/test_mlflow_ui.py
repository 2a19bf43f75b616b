import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grid.ledger.study import Study
from grid.tracking.mlflow_ui import _page


@pytest.mark.parametrize("text", [None, "[", "[]", "{}"])
def test_without_an_experiment_the_first_page_is_shown(make_study: Callable[..., Study], text: str | None) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    if text is not None:
        Path(study.path / "mlflow.json").write_text(text)
    assert _page(study) == ""


def test_the_page_is_that_of_the_study(make_study: Callable[..., Study]) -> None:
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    (study.path / "mlflow.json").write_text(json.dumps({"experiment": "sweep", "experiment_id": "7", "runs": {}}))
    assert _page(study) == "/#/experiments/7/runs?viewStateShareKey=facegrid&workflowType=machine_learning"

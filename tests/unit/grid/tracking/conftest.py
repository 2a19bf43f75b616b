"""Studies beside a database that has its tables."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow_runs import Make

from grid.ledger.study import Study
from grid.tracking.uri import connect


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes MLflow seconds."""
    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    connect(f"sqlite:///{path}")
    return path


@pytest.fixture
def new_study(make_study: Make, template: Path) -> Make:
    """``make_study`` beside a database that has its tables."""

    def make(*arguments: Any, **options: Any) -> Study:
        study = make_study(*arguments, **options)
        if not (study.path.parent / "mlflow.db").exists():
            shutil.copyfile(template, study.path.parent / "mlflow.db")
        return study

    return make

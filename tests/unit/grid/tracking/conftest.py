"""Studies beside a database that has its tables."""

from pathlib import Path
from typing import Any

import empty_database
import pytest
from mlflow_runs import Make

from grid.ledger.study import Study


@pytest.fixture
def new_study(make_study: Make, tmp_path: Path) -> Make:
    """``make_study`` beside a database that has its tables."""

    def make(*arguments: Any, **options: Any) -> Study:
        empty_database.place(tmp_path / "studies")
        return make_study(*arguments, **options)

    return make

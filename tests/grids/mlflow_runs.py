"""What MLflow holds of a study, and changes to a study that a sync must follow."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from grid.ledger.ledger import Attempt
from grid.ledger.study import Study
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

AXES = {"backbone": ["resnet34"], "detection": ["none", "mtcnn"]}

Make = Callable[..., Study]


def runs(study: Study, tracking: str | None = None) -> dict[str, Any]:
    """MLflow's active runs by name."""
    client = connect(tracking or tracking_of(study))
    everything = client.search_runs([one.experiment_id for one in client.search_experiments()])
    found = {run.info.run_name: run for run in everything}
    assert len(found) == len(everything), "two runs of one name"
    return found


def dump(study: Study) -> tuple[list[str], dict[str, int]]:
    """All that MLflow has on disk: the database's content, and the files' times."""
    root = study.path.parent
    with sqlite3.connect(root / "mlflow.db") as database:
        lines = list(database.iterdump())
    files = [*(root / "mlartifacts").rglob("*"), study.path / "mlflow.json"]
    return lines, {str(path): path.stat().st_mtime_ns for path in files}


def history(study: Study, name: str, key: str) -> list[tuple[int, float, int]]:
    client = connect(tracking_of(study))
    points = client.get_metric_history(runs(study)[name].info.run_id, f"Learning curves/{key}")
    return [(point.step, point.value, point.timestamp) for point in points]


def epoch(attempt: Attempt, number: int, loss: float, time: float) -> None:
    row = {"epoch": number, "train_loss": loss, "validation_loss": loss, "lr": 0.1, "images_per_second": time % 7}
    attempt.event({**row, "position": [number + 1, 0], "whole": True, "time": time}, None)


def edit(study: Study, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes plan.json as a later launch would."""
    record = json.loads((study.path / "plan.json").read_text())
    change(record)
    (study.path / "plan.json").write_text(json.dumps(record))


def thorough(study: Study) -> Any:
    return sync_pass(study.path, report=True, thorough=True)


def artifacts(study: Study, run: str) -> dict[str, bytes]:
    files = [path for path in (study.path.parent / "mlartifacts").rglob("*") if path.is_file() and run in str(path)]
    return {str(path).partition("/artifacts/")[2]: path.read_bytes() for path in files}

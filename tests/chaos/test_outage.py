"""MLflow is away for a whole launch: the launch does not care, and the record is copied later."""

from pathlib import Path
from typing import Any

import pytest
from launching import Store, cells, here, runs
from mlflow_server import Server

from grid.ledger.attempt_log import SYSTEM
from grid.tracking.metrics import SPEED
from grid.tracking.uri import connect

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def record(study: Path, tracking: str | None = None) -> dict[str, Any]:
    """What MLflow says of each cell, less what differs between two equal launches: times, speed and the machine."""
    from grid.tracking.uri import default_tracking

    client = connect(tracking or default_tracking(study))
    found = {}
    for cell, several in runs(study, tracking).items():
        (run,) = several
        points = {
            key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
            if not key.endswith(SPEED) and not key.startswith(f"{SYSTEM}/")
        }
        files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
        found[cell] = (run.info.run_name, run.info.status, run.data.params, points, files)
    return found


@pytest.mark.slow
def test_a_launch_without_its_server_is_copied_later(undisturbed: Any, tmp_path: Path) -> None:
    server = Server(tmp_path)
    said = here(tmp_path, "launch", undisturbed.grid, f"launch.tracking={server.address}", "launch.executor=local")
    assert "facegrid sync" in said
    assert Store(tmp_path / STUDY / "store").contents() == undisturbed.contents
    here(tmp_path, "sync", tmp_path / STUDY, code=1)
    with server:
        here(tmp_path, "sync", tmp_path / STUDY)
        found = record(tmp_path / STUDY, server.address)
        calm = record(undisturbed.study)
        assert found == calm
        assert set(found) == {cell["id"] for cell in cells(tmp_path / STUDY)}
        steps = [step for _, _, _, points, _ in found.values() for step, _ in points["Learning curves/validation_loss"]]
        assert sorted(set(steps)) == [1, 2, 3]
        here(tmp_path, "sync", tmp_path / STUDY)
        assert record(tmp_path / STUDY, server.address) == calm, "a second sync adds nothing"

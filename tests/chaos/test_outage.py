"""MLflow is away for a whole launch: the launch does not care, and the record is copied later."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from launching import Store, cells, facegrid, runs

from grid.tracking.metrics import SPEED
from grid.tracking.uri import ENVIRONMENT, connect

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """A real MLflow server on loopback."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--port", str(port), "--workers", "1"]
    environment = {**os.environ, **ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(folder / "server.txt", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        limit = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except OSError:
                assert process.poll() is None, (folder / "server.txt").read_text()
                assert time.monotonic() < limit, (folder / "server.txt").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def record(study: Path, tracking: str | None = None) -> dict[str, Any]:
    """What MLflow says of each cell, less what differs between two equal launches: times and speed."""
    from grid.tracking.sync import default_tracking

    client = connect(tracking or default_tracking(study))
    found = {}
    for cell, several in runs(study, tracking).items():
        (run,) = several
        points = {
            key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
            for key in run.data.metrics
            if not key.endswith(SPEED)
        }
        files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
        found[cell] = (run.info.run_name, run.info.status, run.data.params, points, files)
    return found


def test_a_launch_without_its_server_is_copied_later(undisturbed: Any, here: Any, tmp_path: Path) -> None:
    port = free_port()
    uri = f"launch.tracking=http://127.0.0.1:{port}"
    said = facegrid(tmp_path, "launch", undisturbed.grid, uri)
    assert "facegrid sync" in said
    assert Store(tmp_path / STUDY / "store").contents() == undisturbed.contents
    here(tmp_path, "sync", tmp_path / STUDY, code=1)
    with server(tmp_path, port) as address:
        facegrid(tmp_path, "sync", tmp_path / STUDY)
        found = record(tmp_path / STUDY, address)
        calm = record(undisturbed.study)
        assert found == calm
        assert set(found) == {cell["id"] for cell in cells(tmp_path / STUDY)}
        steps = [step for _, _, _, points, _ in found.values() for step, _ in points["Learning curves/validation_loss"]]
        assert sorted(set(steps)) == [1, 2, 3]
        here(tmp_path, "sync", tmp_path / STUDY)
        assert record(tmp_path / STUDY, address) == calm, "a second sync adds nothing"

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.store.artifact import artifact_repository_registry
from mlflow_runs import Make
from mlflow_server import Server

from grid.tracking import bounded
from grid.tracking.artifacts import log_folder
from grid.tracking.run import known_of
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect


class Client:
    tracking_uri = "http://127.0.0.1:1"


def test_large_files_have_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    copied: list[tuple[str, str]] = []

    class Repository:
        def __init__(self, address: str) -> None:
            self.address = address

        def log_artifacts(self, folder: str) -> None:
            time.sleep(0.5)
            copied.append((self.address, folder))

    monkeypatch.setattr(
        artifact_repository_registry, "get_artifact_repository", lambda address, tracking_uri: Repository(address)
    )
    monkeypatch.setattr(bounded, "SECONDS", 0.01)
    known = type("Known", (), {"run_id": "run", "artifacts": "mlflow-artifacts:/1/run/artifacts"})()
    with pytest.raises(TimeoutError):
        log_folder(Client(), known, tmp_path)
    monkeypatch.setattr(bounded, "SLOWEST", 100)
    log_folder(Client(), known, tmp_path)
    assert copied[-1] == (known.artifacts, str(tmp_path))


@pytest.mark.slow
def test_a_new_run_is_never_read_from_a_server_and_has_its_files(
    new_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(axes={"backbone": ["a", "b", "c"]}, explainers=(), pairs=20)
    from mlflow.tracking._tracking_service.client import TrackingServiceClient

    read: list[str] = []
    get_run = TrackingServiceClient.get_run

    def noted(self: Any, run_id: str) -> Any:
        read.append(run_id)
        return get_run(self, run_id)

    with Server(tmp_path) as server:
        monkeypatch.setattr(TrackingServiceClient, "get_run", noted)
        found = sync_pass(study.path, server.address)
        assert (found.problems, len(found.runs), read) == ([], 3, [])
        client = connect(server.address)
        for id in found.runs.values():
            assert known_of(client.get_run(id)).artifacts == f"mlflow-artifacts:/{found.experiment_id}/{id}/artifacts"
            assert {"config.json", "stages.json", "files.json"} <= {one.path for one in client.list_artifacts(id)}
        assert read, "the watch sees calls"

"""MLflow as a team has it: a server on PostgreSQL that passes artifacts on and asks for passwords; and where secrets end up."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from invented_study import build_study
from launching import TINY, facegrid
from mlflow_server import Server
from postgres import Postgres, binaries

from grid.ledger.study import Study
from grid.tracking import runs
from grid.tracking.sync import sync, sync_pass
from grid.tracking.uri import connect

pytestmark = pytest.mark.timeout(900)
ONE = "head=narrow,detection=none,pretraining=none"
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {uri}
admin_username = admin
authorization_function = {function}
auth_cache_ttl_seconds = 60
"""  # without the cache, each request costs a slow hash
FUNCTION = "mlflow.server.auth:authenticate_request_basic_auth"


@dataclass(frozen=True)
class Team:
    """A server, its database, and the administrator's password."""

    server: Server
    database: Postgres
    password: str

    @property
    def address(self) -> str:
        """With the password."""
        return self.server.address.replace("://", f"://admin:{self.password}@")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    lacking = [name for name in ("psycopg2", "flask_wtf") if importlib.util.find_spec(name) is None]
    lacking += [] if binaries() else ["PostgreSQL (Debian: apt-get install postgresql)"]
    if lacking:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no {', '.join(lacking)}")
    password = f"canary{secrets.token_hex(12)}"
    folder = tmp_path_factory.mktemp("team")
    with Postgres(secrets.token_hex(12)) as database:
        (folder / "auth.ini").write_text(AUTH.format(uri=database.uri, function=FUNCTION))
        variables = {
            "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        }
        with Server(folder, None, database.uri, ("--app-name", "basic-auth", "--serve-artifacts"), **variables) as server:
            yield Team(server, database, password)


def forms(secret: str) -> list[bytes]:
    """The secret as it may be written: plain, quoted in an address, and in the header of a request."""
    coded = base64.b64encode(f"admin:{secret}".encode())
    return [secret.encode(), quote(secret, safe="").encode(), base64.b64encode(secret.encode()), coded]


def leaks(secret: str, folder: Path, *texts: str) -> list[str]:
    """The files under a folder, and the positions of texts, that contain the secret."""
    found = [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and _has(path.read_bytes(), secret)]
    return found + [f"text {number}" for number, text in enumerate(texts) if _has(text.encode(), secret)]


def _has(data: bytes, secret: str) -> bool:
    return any(form in data for form in forms(secret))


def test_no_secret_of_a_launch_is_in_its_files_its_output_or_the_database(team: Team, tmp_path: Path) -> None:
    """The password in the address, and two tokens in the environment."""
    other = [f"canary{secrets.token_hex(12)}" for _ in range(2)]
    variables = {"AWS_SECRET_ACCESS_KEY": other[0], "FACEGRID_LAB_TOKEN": other[1]}
    settings = ("launch.executor=local", f"launch.tracking={team.address}", "launch.notify=tee received.json", "--where", ONE)
    said = facegrid(tmp_path, "launch", TINY, *settings, **variables)
    assert "cannot be reached" not in said
    study = Study(tmp_path / "studies" / "tiny")
    assert study.record["tracking"] == team.server.address.replace("://", "://***@")
    recorded = json.loads((study.path / "mlflow.json").read_text())
    assert len(recorded["runs"]) == 1
    dumped = team.database.dump()
    assert next(iter(recorded["runs"])) in dumped, "the run of this launch is in the database"
    artifacts = list((team.server.folder / "artifacts").rglob("*.json"))
    assert artifacts, "the server passed them on"
    for secret in (team.password, *other):
        assert leaks(secret, tmp_path, said, dumped) == []
        assert leaks(secret, team.server.folder / "artifacts") == []
    assert json.loads((tmp_path / "received.json").read_text())["event"] == "done"


def test_the_search_for_leaks_finds_each_form(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number, form in enumerate(forms("geheim/1")):
        (tmp_path / "deep" / f"{number}.bin").write_bytes(b"\x00" + form + b"\xff")
    assert len(leaks("geheim/1", tmp_path, "geheim/1")) == len(forms("geheim/1")) + 1
    assert leaks("another", tmp_path, "geheim/1") == []


def test_credentials_may_come_from_the_environment_and_wrong_ones_are_reported_without_them(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = build_study(
        tmp_path / "named", tracking=team.server.address, axes={"backbone": ["alexnet"]}, pairs=40, explainers=()
    )
    refused = sync_pass(study.path)
    assert refused.unreachable
    assert "401 (Unauthorized)" in refused.problems[0]
    wrong = f"canary{secrets.token_hex(12)}"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", wrong)
    refused = sync_pass(study.path)
    assert refused.unreachable
    assert not _has(json.dumps(refused.problems).encode(), wrong)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", team.password)
    assert sync_pass(study.path).problems == []
    assert leaks(team.password, study.path) == []


def test_more_runs_than_a_page_are_found_and_written_in_batches(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", team.password)
    monkeypatch.setattr(runs, "PAGE", 1)
    axes = {"backbone": ["alexnet", "resnet34"]}
    study = build_study(tmp_path / "paged", tracking=team.server.address, axes=axes, pairs=40, explainers=(), epochs=8)
    first = sync_pass(study.path)
    assert first.problems == []
    assert len(first.runs) == 2
    batches: list[int] = []
    client = connect(team.server.address)
    pages: list[int] = []

    import mlflow

    search, log_batch = mlflow.MlflowClient.search_runs, mlflow.MlflowClient.log_batch

    def counted_search(self: Any, *arguments: Any, **named: Any) -> Any:
        found = search(self, *arguments, **named)
        pages.append(len(found))
        assert len(pages) < 20, pages
        return found

    def counted_batch(self: Any, *arguments: Any, **named: Any) -> Any:
        batches.append(len(named.get("metrics", ())))
        return log_batch(self, *arguments, **named)

    monkeypatch.setattr(mlflow.MlflowClient, "search_runs", counted_search)
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", counted_batch)
    again = sync(study.path)
    assert (again.problems, again.runs) == ([], first.runs), "one run per cell, whatever the size of a page"
    assert pages[:2] == [1, 1]
    assert batches == []
    (run, *_) = first.runs.values()
    client.delete_run(run)
    assert sync(study.path).problems == []
    points = sum(batches)
    assert points >= 8, "each epoch has points"
    assert len(batches) <= 3, "many points per request"
    assert max(batches) <= runs.POINTS

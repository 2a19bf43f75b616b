"""An MLflow server behind TLS, with a token or a password from the environment: it is used, trusted by its own authority only,
and neither secret is written anywhere, Ray's logs included.
"""

from __future__ import annotations

import base64
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from invented_study import build_study
from launching import TINY, facegrid, runs
from mlflow_server import Server
from tls_proxy import TlsProxy

from grid.tracking.sync import sync_pass

pytestmark = pytest.mark.timeout(900)
ONE = "head=narrow,detection=none,pretraining=none"
TOKEN, PASSWORD = (f"canary{secrets.token_hex(12)}" for _ in range(2))
BASIC = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsProxy]:
    folder = tmp_path_factory.mktemp("tls")
    options = ("--serve-artifacts", "--allowed-hosts", "127.0.0.1:*")
    with (
        Server(folder, options=options) as server,
        TlsProxy(folder, server.port, {f"Bearer {TOKEN}", f"Basic {BASIC}"}) as proxy,
    ):
        yield proxy


@pytest.fixture
def trusting(proxy: TlsProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(proxy.certificate))


def with_secret(folder: Path) -> list[Path]:
    """The files below a folder that have a secret, as it is or as in a header."""
    forms = [form.encode() for form in (TOKEN, PASSWORD, BASIC, base64.b64encode(TOKEN.encode()).decode())]
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if any(form in path.read_bytes() for form in forms)]


@pytest.mark.slow
def test_a_launch_on_ray_with_a_token_is_copied_and_the_token_is_in_no_file_or_log(
    proxy: TlsProxy, trusting: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = Path(tempfile.mkdtemp(prefix="fg", dir="/tmp"))  # short, for Ray's sockets
    words = (f"launch.tracking={proxy.address}", "launch.resources.gpus=0", "--where", ONE)
    try:
        said = facegrid(tmp_path, "launch", TINY, *words, MLFLOW_TRACKING_TOKEN=TOKEN, RAY_TMPDIR=str(ray))
        assert list(ray.rglob("logs/worker-*")), "the logs of Ray's processes are there"
        assert with_secret(ray) == []
    finally:
        shutil.rmtree(ray)
    assert "MLflow: " not in said.replace("MLflow: facegrid ui", "")
    assert TOKEN not in said
    assert "Bearer" in proxy.seen
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    study = tmp_path / "studies" / "tiny"
    assert [one.info.status for several in runs(study, proxy.address).values() for one in several] == ["FINISHED"]
    assert with_secret(tmp_path) == []
    assert with_secret(proxy.certificate.parent) == [], "nor in the server's database, artifacts and log"


def test_a_password_works_too_and_what_is_missing_is_named(
    proxy: TlsProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = build_study(tmp_path / "named", tracking=proxy.address, axes={"backbone": ["alexnet"]}, pairs=40, explainers=())
    refused = sync_pass(study.path)
    assert refused.unreachable
    assert "its certificate is not trusted; set MLFLOW_TRACKING_SERVER_CERT_PATH" in refused.problems[0]
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(proxy.certificate))
    assert "401 (Unauthorized); set MLFLOW_TRACKING_USERNAME" in sync_pass(study.path).problems[0]
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    done = sync_pass(study.path)
    assert done.problems == []
    assert len(done.runs) == 1
    assert "Basic" in proxy.seen
    assert with_secret(study.path) == []


def test_the_search_for_secrets_finds_each_form(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number, form in enumerate((TOKEN, PASSWORD, BASIC)):
        (tmp_path / "deep" / f"{number}").write_bytes(b"\x00" + form.encode() + b"\xff")
    (tmp_path / "other").write_text("canary")
    assert len(with_secret(tmp_path)) == 3

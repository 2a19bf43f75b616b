"""The MLflow sync against a real MLflow server, which goes away and comes back."""

import io
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from invented_study import build_study
from loopback import free_port
from mlflow_server import Server

from grid.ledger.study import Study
from grid.tracking.mlflow_ui import ui
from grid.tracking.models import UNSUPPORTED
from grid.tracking.prune import prune_runs
from grid.tracking.sync import MlflowSync, TrackingUnreachable, sync, sync_pass
from grid.tracking.uri import connect

ROOT = Path(__file__).resolve().parents[2]
OPTIONS: dict[str, Any] = {"axes": {"backbone": ["alexnet", "resnet34"]}, "pairs": 40, "images": 2, "epochs": 3}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Study]:
    return lambda name, **options: build_study(tmp_path / name, **{**OPTIONS, **options})


def record(server: Server, experiment_id: str, tmp_path: Path) -> dict[str, Any]:
    """All that the server says of an experiment, in a form that two of them can be compared in."""
    client = connect(server.address)
    found = {}
    for run in client.search_runs([experiment_id]):
        id = run.info.run_id
        unlike = (
            "facegrid.study",
            "facegrid.checkpoint",
            "mlflow.source.name",
            "mlflow.note.content",
            "facegrid.note",
            "facegrid.model",
        )
        points = {
            key: [(point.step, point.value, point.timestamp) for point in client.get_metric_history(id, key)]
            for key in run.data.metrics
        }
        folder = Path(client.download_artifacts(id, "", str(tmp_path / id))) if (tmp_path / id).mkdir() is None else tmp_path
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert run.info.run_name not in found, "one run per cell"
        found[run.info.run_name] = {
            "params": run.data.params,
            "tags": {key: value for key, value in run.data.tags.items() if key not in unlike},
            "points": points,
            "files": {name: data for name, data in files.items() if name not in ("checkpoint.txt", "files.json")},
            "datasets": sorted((one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs),
            "run": (run.info.status, run.info.start_time, run.info.end_time),
        }
    return found


def twin(study: Study, path: Path) -> Study:
    """The same results as another study: equal in all but name and id."""
    import json
    import shutil

    shutil.copytree(study.path, path)
    text = json.loads((path / "plan.json").read_text())
    text |= {"study_id": "f" * 32, "grid": path.name, "store": str(path / "store")}
    (path / "plan.json").write_text(json.dumps(text))
    return Study(path)


def test_a_second_pass_writes_nothing(server: Server, build: Callable[..., Study]) -> None:
    study = build("again", tracking=server.address)
    keeping = MlflowSync(study, server.address)
    first = keeping.once()
    assert first.problems == []
    assert len(first.runs) == 2
    assert keeping.once().writes == 0
    before = (server.folder / "server.db").read_bytes()
    again = sync_pass(study.path)
    assert (again.writes, again.runs) == (0, first.runs)
    assert (server.folder / "server.db").read_bytes() == before


def test_an_outage_in_the_middle_leaves_the_same_record(
    server: Server, build: Callable[..., Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = build("disturbed", tracking=server.address)
    calm = twin(study, tmp_path / "calm")
    undisturbed = sync_pass(calm.path)
    assert undisturbed.problems == []

    import mlflow

    real, calls = mlflow.MlflowClient.log_batch, [0]

    def log_batch(self: Any, *arguments: Any, **named: Any) -> Any:
        found = real(self, *arguments, **named)
        calls[0] += 1
        server.stop()  # the answer came, and the next request meets nobody
        return found

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", log_batch)
    began = time.monotonic()
    cut = sync_pass(study.path)
    assert cut.unreachable
    assert len(cut.problems) == 1
    assert server.address in cut.problems[0]
    assert calls == [1]
    with pytest.raises(TrackingUnreachable):
        sync(study.path)
    assert time.monotonic() - began < 90, "an outage must not hold a launch up: MLflow's own retries take four minutes"
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", real)
    server.start()
    healed = sync(study.path)
    assert healed.problems == []
    assert record(server, str(healed.experiment_id), tmp_path) == record(server, str(undisturbed.experiment_id), tmp_path)
    assert sync_pass(study.path).writes == 0


def test_a_request_that_was_sent_twice_leaves_one_run(
    server: Server, build: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    real = mlflow.MlflowClient.create_run

    def twice(self: Any, *arguments: Any, **named: Any) -> Any:
        real(self, *arguments, **named)  # its answer was lost
        return real(self, *arguments, **named)

    study = build("twice", tracking=server.address)
    monkeypatch.setattr(mlflow.MlflowClient, "create_run", twice)
    result = sync_pass(study.path)
    assert result.problems == []
    assert len(result.said) == 2
    found = connect(server.address).search_runs([result.experiment_id])
    assert sorted(run.info.run_id for run in found) == sorted(result.runs.values())
    assert all(run.info.status == "FINISHED" for run in found)


def test_a_server_without_logged_models_gets_all_else(server: Server, build: Callable[..., Study]) -> None:
    """One from before MLflow 3.0 answers 404 where it has no page: here a proxy does, in front of a real server."""
    with without_models(server) as address:
        study = build("older", tracking=address)
        result = sync_pass(study.path)
        assert (result.problems, result.said) == ([], [UNSUPPORTED])
        assert sync_pass(study.path).writes == 0
        assert list(prune_runs(study, address, False)) == []
    client = connect(server.address)
    runs = [client.get_run(id) for id in result.runs.values()]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all("lfw view 2/accuracy_ten_fold" in run.data.metrics for run in runs)
    assert list(client.search_logged_models([result.experiment_id])) == []


@contextmanager
def without_models(server: Server) -> Iterator[str]:
    class Proxy(BaseHTTPRequestHandler):
        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            url, known = f"{server.address}{self.path}", {key: value for key, value in self.headers.items() if key != "Host"}
            try:
                if "logged-models" in self.path:
                    raise urllib.error.HTTPError(url, 404, "Not Found", {}, io.BytesIO(b"<h1>Not Found</h1>"))  # type: ignore[arg-type]
                answer = urllib.request.urlopen(urllib.request.Request(url, data, known, method=self.command), timeout=60)
            except urllib.error.HTTPError as error:
                answer = error
            body = answer.read()
            self.send_response(answer.status or 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def test_where_a_server_keeps_the_runs_the_ui_only_says_its_address(server: Server, build: Callable[..., Study]) -> None:
    said: list[str] = []
    opened: list[str] = []
    assert ui(build("far", tracking=server.address), open=opened.append, say=lambda line: said.append(str(line))) == 0
    assert opened == [server.address]
    assert server.address in said[0]
    signed = server.address.replace("//", "//me:hunter2@")
    assert ui(build("signed", tracking=signed), open=opened.append, say=lambda line: said.append(str(line))) == 0
    assert opened[1:] == [server.address], "the command of a browser is seen by everybody"
    assert "hunter2" not in said[1]


def test_the_ui_says_when_its_address_is_in_use(server: Server, build: Callable[..., Study]) -> None:
    with pytest.raises(ValueError, match=f"127.0.0.1:{server.port} cannot be used"):
        ui(build("near"), port=server.port, open=None)


@pytest.mark.slow
def test_the_ui_serves_the_runs_and_ends_its_children(build: Callable[..., Study]) -> None:
    import psutil

    study = build("shown")
    result = sync_pass(study.path)
    port = free_port()
    code = "import sys; from grid.ledger.study import Study; from grid.tracking.mlflow_ui import ui; "
    code += f"sys.exit(ui(Study({str(study.path)!r}), port={port}, open=None, say=lambda line: print(line, flush=True)))"
    shown = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert shown.stdout is not None
        line = shown.stdout.readline()
        assert f"http://127.0.0.1:{port}/#/experiments/{result.experiment_id}/runs" in line
        client = connect(f"http://127.0.0.1:{port}")
        found = client.search_runs([result.experiment_id])
        assert {run.info.run_id for run in found} == set(result.runs.values())
        url = f"http://127.0.0.1:{port}/get-artifact?path=explanations/gradcam/00.png&run_uuid={found[0].info.run_id}"
        with urllib.request.urlopen(url, timeout=120) as answer:
            assert answer.read(4) == b"\x89PNG"
        children = psutil.Process(shown.pid).children(recursive=True)
        assert children
        lines = [" ".join(child.cmdline()) for child in children]
        assert not any("mlflow.db" in line for line in lines), "the address of a database may hold a password"
        shown.send_signal(signal.SIGINT)
        assert shown.wait(120) == 0
        limit = time.monotonic() + 60
        while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
            assert time.monotonic() < limit, children
            time.sleep(0.1)
    finally:
        shown.kill()
        shown.wait()

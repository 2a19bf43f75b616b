"""``facegrid ui`` and ``facegrid sync`` around the machine: proxies, host names, and studies that may only be read."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from invented_study import build_study
from loopback import free_port

from grid.ledger.study import Study
from grid.tracking.sync import sync_pass

ROOT = Path(__file__).resolve().parents[2]
OPTIONS: dict[str, Any] = {"axes": {"backbone": ["alexnet"]}, "protocols": (), "explainers": ()}
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Study]:
    return lambda name: build_study(tmp_path / name / "study", **OPTIONS)


def obey_modes() -> None:
    """Modes of files hold for root too."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@contextmanager
def shown(study: Study, *words: str, **environment: str) -> Iterator[list[str]]:
    """``facegrid ui`` while it runs, and the lines that it said until it served."""
    command = [sys.executable, "-c", "from grid.cli.main import main; main()", "ui", str(study.path), *words]
    running = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), "BROWSER": "true", "COLUMNS": "500", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=obey_modes,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        yield lines
        running.send_signal(signal.SIGINT)
        assert running.wait(120) == 0
    finally:
        running.kill()
        running.wait()


def status(address: str, host: str, data: bytes | None = None, origin: str | None = None) -> int:
    headers = {"Host": host, "Content-Type": "application/json", **({"Origin": origin} if origin else {})}
    try:
        with DIRECT.open(urllib.request.Request(address, data, headers), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
def test_a_proxy_is_not_asked_for_this_machine_and_other_machines_may_use_its_name(build: Callable[..., Study]) -> None:
    study = build("open")
    result = sync_pass(study.path)
    port = free_port()
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
    with shown(study, "--port", str(port), "--host", "0.0.0.0", no_proxy="", **proxies) as lines:
        name = f"{socket.gethostname()}:{port}"
        assert f"http://{name}/#/experiments/{result.experiment_id}/runs?viewStateShareKey=facegrid" in lines[-1], lines
        address = f"http://127.0.0.1:{port}"
        assert status(address, name) == 200
        search = f'{{"experiment_ids": ["{result.experiment_id}"]}}'.encode()
        assert status(f"{address}/ajax-api/2.0/mlflow/runs/search", name, search, f"http://{name}") == 200
        assert status(address, f"localhost:{port}") == 200
        assert status(address, f"elsewhere.example:{port}") == 403, "a name that is not this machine's"
        log = Path(re.findall(r"output is in (\S+)\)", lines[-1])[0])
        assert "Uvicorn running" in log.read_text()
    assert not log.exists(), "a server that served well leaves nothing"


@pytest.fixture
def read_only(build: Callable[..., Study]) -> Iterator[Study]:
    study = build("theirs")
    sync_pass(study.path)
    places = [study.path.parent, *study.path.parent.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield study
    for place in places:
        place.chmod(0o755)


@pytest.mark.slow
def test_the_runs_of_a_study_that_may_only_be_read_are_shown(read_only: Study) -> None:
    database = read_only.path.parent / "mlflow.db"
    before = database.read_bytes()
    port = free_port()
    with shown(read_only, "--port", str(port)) as lines:
        assert f"{database} may not be written to: a copy is shown" in lines[0]
        assert status(f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}") == 200
    assert database.read_bytes() == before


def test_the_sync_of_a_study_that_may_only_be_read_is_refused_in_one_line(read_only: Study) -> None:
    command = [sys.executable, "-c", "from grid.cli.main import main; main()", "sync", str(read_only.path)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "500"}, capture_output=True, text=True,
        preexec_fn=obey_modes, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1, done.stderr
    assert str(read_only.path) in done.stderr
    assert "Permission denied" in done.stderr

"""``facegrid ui``: MLflow's own pages for a study, on this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from grid.ledger.study import Study
from grid.secrets import SECRET, masked
from grid.spec.grid_file import BadInput
from grid.tracking.uri import ENVIRONMENT, artifacts_of, connect, remote, tracking_of

PATIENCE = 60.0  # seconds until the server must answer
GRACE = 5.0  # seconds that it gets to end by itself


def ui(
    study: Study,
    port: int = 5000,
    host: str = "127.0.0.1",
    open: Callable[[str], object] | None = webbrowser.open,
    say: Callable[[str], object] = print,
) -> int:
    """Serves the runs of a study until it is interrupted; where a server keeps them, only says its address.

    Args:
        open: gets the address once somebody answers there; None opens nothing.
        say: gets lines for the user.

    Returns:
        The exit code: 0, also when Ctrl-C ends it, 1 when the server ended by itself.

    Raises:
        BadInput: the address is in use.
    """
    tracking = tracking_of(study.record, study.path)
    if remote(tracking):
        page = _page(study) if tracking.startswith("http") else ""
        address = masked(tracking).replace(f"{SECRET}@", "").rstrip("/")  # a browser asks for the password itself
        say(f"MLflow keeps the runs of {study.name} at {address}{page}")
        if open is not None:
            open(f"{address}{page}")
        return 0
    _check_free(host, port)
    try:
        connect(tracking)  # so that a study without runs has an empty page, and not a server that fails
    except TimeoutError as error:
        raise BadInput(str(error)) from error
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    server = _start(tracking, artifacts_of(tracking, study.path) or "", host, port)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if not _answers(server, address):
            say(f"the MLflow server ended with code {server.poll()}; run it with MLFLOW_LOGGING_LEVEL=INFO to see why")
            return 1
        page = address + _page(study)
        say(f"MLflow shows {study.name} at {page} (Ctrl-C ends it)")
        if open is not None:
            open(page)
        server.wait()
        say(f"the MLflow server ended by itself with code {server.returncode}")
        return 1
    except KeyboardInterrupt:
        return 0  # there is no other way to end it, and nothing to go on with
    finally:
        _end(server)
        signal.signal(signal.SIGTERM, before)


def _page(study: Study) -> str:
    """The part of an address that shows the study's runs; none as long as it has no experiment."""
    try:
        found = json.loads((study.path / "mlflow.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ""
    number = found.get("experiment_id") if isinstance(found, dict) else None
    return f"/#/experiments/{number}/runs" if number else ""


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadInput(f"{host}:{port} cannot be used ({error.strerror}); choose another with --port") from error


def _start(tracking: str, artifacts: str, host: str, port: int) -> subprocess.Popen[bytes]:
    """The server in a process group of its own: it has children, which end with it."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--default-artifact-root", artifacts,
        "--no-serve-artifacts", "--host", host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    # the database's address is not among the arguments, which every user of the machine can see
    environment = {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **os.environ}
    environment["MLFLOW_BACKEND_STORE_URI"] = tracking
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    until = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)  # the group that this function's caller started
            server.wait(GRACE)
        except ProcessLookupError:
            server.wait()
            return
        except subprocess.TimeoutExpired:
            continue


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt

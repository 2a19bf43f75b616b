"""``facegrid ui``: MLflow's web interface for a study, on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from grid.ledger.study import Study
from grid.secrets import SECRET, masked
from grid.spec.grid_file import BadInput
from grid.tracking.answers import words
from grid.tracking.links import TRAINING
from grid.tracking.uri import ENVIRONMENT, artifacts_of, connect, database_file, remote, tracking_of
from grid.tracking.views import VIEW

LOOPBACK, WILDCARDS = ("127.0.0.1", "localhost", "::1"), ("0.0.0.0", "::")
PATIENCE = 60.0  # seconds for the server to answer
GRACE = 5.0  # seconds for the server to shut down


def ui(
    study: Study,
    port: int = 5000,
    host: str = "127.0.0.1",
    open: Callable[[str], object] | None = webbrowser.open,
    say: Callable[[str], object] = print,
) -> int:
    """Serves the runs of a study until interrupted; for runs on a remote server, only prints the address.

    Runs in a read-only location, such as a colleague's, are served from a copy of their database.

    Args:
        open: called with the address once the server answers there; None opens nothing.
        say: called with lines for the user.

    Returns:
        The exit code: 0, also when Ctrl-C ends it, 1 when the server ended by itself.

    Raises:
        BadInput: the address is in use, or the database cannot be opened.
    """
    tracking = tracking_of(study)
    if remote(tracking):
        page = _page(study) if tracking.startswith("http") else ""
        address = masked(tracking).replace(f"{SECRET}@", "").rstrip("/")  # the browser asks for the password
        say(f"MLflow keeps the runs of {study.name} at {address}{page}")
        if open is not None:
            open(f"{address}{page}")
        return 0
    _check_free(host, port)
    with tempfile.TemporaryDirectory(prefix="facegrid-ui-", ignore_cleanup_errors=True) as folder:
        return _serve(study, _writable(tracking, Path(folder), say), host, port, open, say)


def _serve(
    study: Study, tracking: str, host: str, port: int, open: Callable[[str], object] | None, say: Callable[[str], object]
) -> int:
    try:
        connect(tracking)  # so that a study without runs has an empty page instead of a failing server
    except Exception as error:
        raise BadInput(f"{masked(tracking)} cannot be opened ({words(error, tracking)})") from error
    everywhere = host in WILDCARDS
    address = f"http://{'127.0.0.1' if everywhere else f'[{host}]' if ':' in host else host}:{port}"
    log = Path(tempfile.mkstemp(prefix="facegrid-ui-", suffix=".log")[1])
    server = _start(tracking, artifacts_of(tracking, study.path) or "", host, port, log)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if not _answers(server, address):
            said = "does not answer" if server.poll() is None else f"ended with code {server.poll()}"
            say(f"the MLflow server {said}; its output is in {log}")
            return 1
        page = address + _page(study)
        shown = page.replace("127.0.0.1", socket.gethostname(), 1) if everywhere else page
        say(f"MLflow shows {study.name} at {shown} (Ctrl-C ends it; its output is in {log})")
        if open is not None:
            open(page)
        server.wait()
        say(f"the MLflow server ended by itself with code {server.returncode}; its output is in {log}")
        return 1
    except KeyboardInterrupt:
        log.unlink(missing_ok=True)
        return 0  # Ctrl-C is the only way to end it
    finally:
        _end(server)
        signal.signal(signal.SIGTERM, before)


def _writable(tracking: str, folder: Path, say: Callable[[str], object]) -> str:
    """The URI of the database, or of a copy in ``folder`` if it is read-only: MLflow writes even when it only shows runs.

    Raises:
        BadInput: there is no database, and none can be created.
    """
    file = database_file(tracking)
    if file is None or (os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))):
        return tracking
    if not file.exists():
        raise BadInput(f"{file}: there are no MLflow runs yet, and {file.parent} cannot be written to")
    shutil.copyfile(file, folder / file.name)
    say(f"{file} may not be written to: a copy is shown, and what is changed on its pages is lost")
    return f"sqlite:///{folder / file.name}"


def _page(study: Study) -> str:
    """The part of the address that selects the study's runs; empty if it has no experiment yet."""
    try:
        found = json.loads((study.path / "mlflow.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ""
    number = found.get("experiment_id") if isinstance(found, dict) else None
    return f"/#/experiments/{number}/runs?viewStateShareKey={VIEW}&{TRAINING}" if number else ""


def _check_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise BadInput(f"{host}:{port} cannot be used ({error.strerror}); choose another with --port") from error


def _start(tracking: str, artifacts: str, host: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    """Starts the server in a separate process group, so that its child processes end with it."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--default-artifact-root", artifacts,
        "--no-serve-artifacts", "--host", host, "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = {**ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "INFO"}
    environment |= {**_reachable(host, port), **os.environ}
    # the database's address is not an argument, because all users of the machine can see arguments
    environment["MLFLOW_BACKEND_STORE_URI"] = tracking
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)


def _reachable(host: str, port: int) -> dict[str, str]:
    """Environment variables with the host names of this machine: MLflow rejects requests under unknown names."""
    if host in LOOPBACK:
        return {}
    names = {"localhost", "127.0.0.1", "[::1]", socket.gethostname(), socket.getfqdn()}
    addresses = {entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries
                 if entry.family in (socket.AF_INET, socket.AF_INET6)}  # fmt: skip
    names |= {f"[{one}]" if ":" in one else one for one in addresses | ({host} - set(WILDCARDS))}
    named = sorted(f"{name}:{port}" for name in names)
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*sorted(names), *named]),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{name}" for name in named),
    }


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    straight = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy cannot reach local ports
    until = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < until:
        try:
            with straight.open(f"{address}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, how)  # the process group that the caller started
            server.wait(GRACE)
        except ProcessLookupError:
            server.wait()
            return
        except subprocess.TimeoutExpired:
            continue


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt

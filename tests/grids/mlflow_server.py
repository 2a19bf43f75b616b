"""A real MLflow server on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from loopback import free_port

from grid.tracking.uri import ENVIRONMENT

PATIENCE = 180.0  # seconds until it answers


class Server:
    """A server with its own folder; it may be stopped and started. Running inside a ``with`` block.

    Args:
        backend: URI of its database; default: SQLite in the folder. It is passed in the environment.
        options: more options of ``mlflow server``
        variables: more environment variables
    """

    def __init__(
        self, folder: Path, port: int | None = None, backend: str | None = None, options: Sequence[str] = (), **variables: str
    ) -> None:
        self.folder, self.options = folder, options
        self.variables = {"MLFLOW_BACKEND_STORE_URI": backend or f"sqlite:///{folder}/server.db", **variables}
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--artifacts-destination", str(self.folder / "artifacts")]
        command += ["--port", str(self.port), "--workers", "1", *self.options]
        environment = {**os.environ, **ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **self.variables}
        log = self.folder / "server.txt"
        with open(log, "ab") as file:
            self.process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
        limit = time.monotonic() + PATIENCE
        try:
            while not self._answers():
                assert self.process.poll() is None, log.read_text()
                assert time.monotonic() < limit, log.read_text()
                time.sleep(0.2)
        except BaseException:
            self.stop()
            raise

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=2):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

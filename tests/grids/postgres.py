"""A real PostgreSQL server on loopback, with a password."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from loopback import free_port

PATIENCE = 60.0  # seconds until it answers
PLAIN_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000")  # PostgreSQL refuses to run as root


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs; None if it is not installed (Debian: apt-get install postgresql)."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


class Postgres:
    """A server with its own folder and the database ``postgres``, running inside a ``with`` block; it may be restarted."""

    def __init__(self, password: str) -> None:
        self.password, self.port = password, free_port()
        self.programs = binaries()
        self.prefix = PLAIN_USER if os.getuid() == 0 else ()

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg2://mlflow:{self.password}@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Postgres:
        assert self.programs is not None
        self.folder = Path(tempfile.mkdtemp(prefix="facegrid-postgres-"))  # short, since its socket is there
        secret = self.folder / "password"
        secret.write_text(self.password)
        data = self.folder / "data"
        command = [*self.prefix, str(self.programs / "initdb"), f"--pgdata={data}", "--username=mlflow", "--auth=scram-sha-256"]
        command += [f"--pwfile={secret}", "--no-sync", "--encoding=UTF8", "--no-locale"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder)
        self.start()
        return self

    def start(self) -> None:
        assert self.programs is not None
        data = self.folder / "data"
        command = [*self.prefix, str(self.programs / "postgres"), "-D", str(data), "-p", str(self.port), "-h", "127.0.0.1"]
        command += ["-k", str(self.folder), "-c", "fsync=off"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        limit = time.monotonic() + PATIENCE
        while self._client("pg_isready").returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < limit, (self.folder / "log").read_text()
            time.sleep(0.2)

    def stop(self) -> None:
        """At once: clients lose their connections."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def dump(self) -> str:
        """All rows of all tables, as SQL."""
        done = self._client("pg_dump", "--data-only", "--username=mlflow", "postgres")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _client(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self.programs is not None
        command = [str(self.programs / program), "--host=127.0.0.1", f"--port={self.port}", *arguments]
        environment = {**os.environ, "PGPASSWORD": self.password}
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

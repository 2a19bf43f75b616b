"""Detects the loss of the Ray instance that a driver is connected to.

Without its raylet a driver waits for new workers forever; without its GCS (the control store on the head node) Ray terminates
the driver's process after a minute. Both are detected here within seconds.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from grid.abort import LaunchAborted

SECONDS = 1.0  # between two checks
UNREACHABLE = 20.0  # seconds without an answer after which a remote head counts as lost


class RayLost(LaunchAborted):
    """The raylet or the GCS has ended; no more work can be scheduled."""


class RayHealth:
    """Monitors Ray's processes from a thread while the ``with`` block is active.

    Args:
        lost: called once, from the monitoring thread.
        local: Ray was started by this process, so its processes are visible and are terminated when it is lost.
    """

    def __init__(self, lost: Callable[[RayLost], None], local: bool, seconds: float = SECONDS) -> None:
        self.lost, self.local, self.seconds = lost, local, seconds
        self._stop = threading.Event()
        self._roots = _servers() if local else _raylet_of_this_node()
        self._workers: dict[int, Any] = {}  # every process started by the raylet, by process id
        self._address = "" if local else _gcs_address()
        self._answered = time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="facegrid-ray-health")

    def __enter__(self) -> RayHealth:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _end_processes(self) -> None:
        """Kills the remaining processes of a lost local Ray: its workers outlive it, and would run alongside the next one's."""
        import psutil

        if self.local:
            for process in [*self._roots.values(), *self._workers.values()]:
                with contextlib.suppress(psutil.Error):
                    process.kill()  # checks that the process id was not reused
            psutil.wait_procs([*self._roots.values(), *self._workers.values()], timeout=10)

    def _watch(self) -> None:
        while not self._stop.wait(self.seconds):
            why = self._look()
            if why and not self._stop.is_set():
                self._end_processes()
                self.lost(RayLost(f"{why}; finished stages and checkpoints are kept, and the same command goes on"))
                return

    def _look(self) -> str | None:
        """The reason why Ray is lost, or None."""
        import psutil

        for name, process in self._roots.items():
            if not _runs(process):
                return f"Ray's {name} (process {process.pid}) has ended"
            with contextlib.suppress(psutil.Error):
                self._workers.update({child.pid: child for child in process.children(recursive=True)})
        if self._address:
            if _answers(self._address):
                self._answered = time.monotonic()
            elif time.monotonic() - self._answered > UNREACHABLE:
                return f"the head of the Ray cluster at {self._address} does not answer any more"
        return None


def _servers() -> dict[str, Any]:
    """The raylet and the GCS started by this process."""
    import psutil

    return {child.name(): child for child in psutil.Process().children() if child.name() in ("raylet", "gcs_server")}


def _raylet_of_this_node() -> dict[str, Any]:
    """The raylet this driver is connected to, if it is visible."""
    import psutil
    import ray

    node = ray.get_runtime_context().get_node_id()
    path = next((one["RayletSocketName"] for one in ray.nodes() if one["NodeID"] == node), None)
    if path:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() == "raylet" and f"--raylet_socket_name={path}" in process.cmdline():
                    return {"raylet": process}
    return {}


def _gcs_address() -> str:
    import ray

    with contextlib.suppress(Exception):  # without it, only the raylet is watched
        return str(ray.get_runtime_context().gcs_address)
    return ""


def _runs(process: Any) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except (OSError, ValueError):
        return False
    return True

"""Whether a Ray cluster can be reached at an address: found out within seconds, where Ray itself tries for minutes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time

from grid.spec.grid_file import BadInput

SECONDS = 20.0  # for an answer of the head, the start of a Python process included
POLL = 0.1  # seconds
ASKS_FOR_TOKEN = "the cluster asks for a token, and this process has none or another; set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
NODE = "a node of the cluster (a machine joins it with `ray start --address=HOST:PORT --num-cpus=0 --num-gpus=0`)"
NO_NODE = f"no node of that cluster runs on this machine; run the command on {NODE}"

_PROBE = """
import sys
from ray._private.utils import read_ray_address
from ray._raylet import GcsClient
address = read_ray_address() if sys.argv[1] == "auto" else sys.argv[1]
if address is None:
    sys.exit("no cluster was started or joined on this machine with `ray start`; do so, or write HOST:PORT of the head")
GcsClient(address=address).internal_kv_keys(b"", namespace=b"facegrid", timeout=5)
"""


def check_address(address: str) -> None:
    """Checks that something listens at an address, and that a driver on this machine can use it.

    Raises:
        BadInput: it is no address, it is that of a Ray client, nothing listens there, or no node of Ray runs on this machine.
    """
    said = f"launch.address {address!r}"
    if address.startswith("ray://"):
        raise BadInput(f"{said} is of a Ray client, which Tune cannot use; write HOST:PORT of the head, on {NODE}")
    if address == "local" or "://" in address:
        return  # left to Ray
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit() and 0 < int(port) < 65536):
            raise BadInput(f"{said} is no address of a Ray cluster; write HOST:PORT, such as head:6379, or auto")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            raise BadInput(f"{said}: no Ray cluster answers there ({error})") from error
    if not _node_here():
        raise BadInput(f"{said}: {NO_NODE}")


def _node_here() -> bool:
    """Whether a node of any Ray cluster runs on this machine. Ray looks for one among the processes, too, for a minute."""
    import psutil

    return any(process.info["name"] == "raylet" for process in psutil.process_iter(["name"]))


def refusal(address: str, **more: str) -> str | None:
    """Why the head at an address does not answer; None if it does.

    In a separate process, because Ray reads its settings once, and prints each try.

    Args:
        more: environment variables of that process
    """
    if address == "local" or "://" in address:
        return None
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROBE, address],
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            limit = time.monotonic() + SECONDS
            while process.poll() is None and time.monotonic() < limit:
                if "Unauthenticated" in _text(said.fileno()):
                    return ASKS_FOR_TOKEN
                time.sleep(POLL)
        finally:
            ended = process.poll()
            process.kill()
            process.wait()
        text = _text(said.fileno())
    if ended == 0:
        return None
    if "Unauthenticated" in text:
        return ASKS_FOR_TOKEN
    if ended is None:
        return f"what listens there is no head of a Ray cluster, or does not answer within {SECONDS:g} s"
    return text.strip().rpartition("\n")[2] or f"its test ended with exit code {ended}"


def _text(file: int) -> str:
    return os.pread(file, 1 << 20, 0).decode(errors="replace")

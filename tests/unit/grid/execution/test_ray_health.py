"""Ray's own processes are watched: programs of the same names stand in for them, killed as real ones would be."""

import itertools
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray

from grid.execution.ray_health import RayHealth, RayLost, _answers, _raylet_of_this_node, _servers

START = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[START]:
    """Starts a program of that name with a child of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *words: str) -> subprocess.Popen[bytes]:
        program = tmp_path / name
        if not program.exists():
            shutil.copy(shutil.which("bash") or "/bin/bash", program)
        process = subprocess.Popen([program, "-c", "sleep 300 & wait", *words])
        started.append(process)
        until(lambda: psutil.Process(process.pid).children())
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(fact: Callable[[], Any], seconds: float = 20) -> Any:
    limit = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < limit, "no such fact"
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("victim", ["raylet", "gcs_server"])
def test_a_server_that_ends_is_told_once_and_workers_are_ended(start: START, victim: str) -> None:
    servers = {name: start(name) for name in ("raylet", "gcs_server")}
    (worker,) = psutil.Process(servers["raylet"].pid).children()
    lost: list[RayLost] = []
    with RayHealth(lost.append, local=True, seconds=0.05) as health:
        until(lambda: worker.pid in health._workers)
        time.sleep(0.2)
        assert not lost
        servers[victim].kill()
        until(lambda: lost)
        until(lambda: not worker.is_running())
        time.sleep(0.2)
    assert [str(error) for error in lost] == [
        f"Ray's {victim} (process {servers[victim].pid}) has ended; finished stages and checkpoints are kept, "
        "and the same command goes on"
    ]
    assert not any(psutil.pid_exists(server.pid) for server in servers.values())


def test_an_end_of_the_watch_leaves_the_servers_alone(start: START) -> None:
    process = start("raylet")
    lost: list[RayLost] = []
    with RayHealth(lost.append, local=True, seconds=0.05):
        time.sleep(0.2)
    process.kill()
    time.sleep(0.2)
    assert not lost


def test_children_of_other_names_are_no_servers(start: START) -> None:
    process = start("raylet")
    start("other")
    assert {name: found.pid for name, found in _servers().items()} == {"raylet": process.pid}


def test_of_several_nodes_on_one_machine_the_raylet_of_the_driver_is_watched(
    start: START, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray numbers the sockets of further nodes: ``raylet.1``. Their processes may come first, since process ids start over."""
    sockets = "/tmp/ray/session/sockets/raylet"
    further = start("raylet", f"--raylet_socket_name={sockets}.1")
    own = start("raylet", f"--raylet_socket_name={sockets}")
    other = start("raylet", f"--raylet_socket_name={sockets}2")
    for order in itertools.permutations([further, own, other]):
        monkeypatch.setattr(psutil, "process_iter", lambda order=order: iter([psutil.Process(one.pid) for one in order]))
        there = [{"NodeID": id, "RayletSocketName": name} for id, name in (("a", f"{sockets}.1"), ("b", sockets))]
        monkeypatch.setattr(ray, "nodes", lambda there=there: there)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(get_node_id=lambda: "b"))
        assert {name: process.pid for name, process in _raylet_of_this_node().items()} == {"raylet": own.pid}


def test_a_head_answers_while_it_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert _answers(address)
    assert not _answers(address)
    assert not _answers("nonsense")

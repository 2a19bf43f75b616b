"""What is said about addresses where no Ray cluster can be used, and how long that takes."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from grid.execution import ray_address
from grid.execution.ray_address import ASKS_FOR_TOKEN, check_address, refusal
from grid.spec.grid_file import BadInput


@pytest.fixture
def listener() -> Iterator[str]:
    """The address of something that is no Ray head and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def processes(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = [SimpleNamespace(info={"name": name}) for name in names]
    monkeypatch.setattr(psutil, "process_iter", lambda attributes: found)


@pytest.mark.parametrize("address", ["nonsense", "localhost:abc", "127.0.0.1:99999", "127.0.0.1:0", ":6379", "6379", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="is no address of a Ray cluster; write HOST:PORT, such as head:6379, or auto"):
        check_address(address)


def test_a_ray_client_is_refused() -> None:
    with pytest.raises(BadInput, match="'ray://head:10001' is of a Ray client, which Tune cannot use; write HOST:PORT"):
        check_address("ray://head:10001")


def test_an_address_where_nothing_listens_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'127\.0\.0\.1:1': no Ray cluster answers there"):
        check_address("127.0.0.1:1")


def test_a_driver_needs_a_node_of_ray_on_its_machine(monkeypatch: pytest.MonkeyPatch, listener: str) -> None:
    processes(monkeypatch, "python", "gcs_server")
    for address in (listener, "auto"):
        with pytest.raises(BadInput, match=r"no node of that cluster runs on this machine; .* `ray start --address=HOST:PORT"):
            check_address(address)
    processes(monkeypatch, "python", "raylet")
    for address in (listener, "auto"):
        check_address(address)


def test_other_schemes_are_left_to_ray() -> None:
    check_address("mine://somewhere")
    assert refusal("mine://somewhere") is None


def test_files_of_the_current_folder_do_not_hide_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ray.py").write_text("raise SystemExit('a file of the user')")
    monkeypatch.chdir(tmp_path)
    assert refusal("127.0.0.1:1") != "a file of the user"


def test_what_is_no_ray_head_is_given_up(monkeypatch: pytest.MonkeyPatch, listener: str) -> None:
    monkeypatch.setattr(ray_address, "SECONDS", 3.0)
    began = time.monotonic()
    assert refusal(listener) == "what listens there is no head of a Ray cluster, or does not answer within 3 s"
    assert time.monotonic() - began < 10


def test_the_address_auto_needs_a_cluster_that_was_started_here(tmp_path: Path) -> None:
    """A Ray that another launch has started for itself is none."""
    found = str(refusal("auto", RAY_TMPDIR=str(tmp_path)))
    assert found.startswith("no cluster was started or joined on this machine with `ray start`; do so, or write HOST:PORT")


@pytest.mark.parametrize(
    ("probe", "why"),
    [
        ("pass", None),
        ("import os; assert os.environ['RAY_AUTH_MODE'] == 'disabled'", None),
        (
            "import sys, time; print('W RPC error: Unauthenticated', file=sys.stderr, flush=True); time.sleep(60)",
            ASKS_FOR_TOKEN,
        ),
        ("raise SystemExit('Unauthenticated: bad token')", ASKS_FOR_TOKEN),
        ("print(1); raise ConnectionError('Could not find any running Ray instance')", "ConnectionError: Could not find any"),
        ("raise SystemExit(7)", "its test ended with exit code 7"),
    ],
)
def test_the_reason_is_what_the_process_says(monkeypatch: pytest.MonkeyPatch, probe: str, why: str | None) -> None:
    monkeypatch.setattr(ray_address, "_PROBE", probe)
    began = time.monotonic()
    found = refusal("head:6379", RAY_AUTH_MODE="disabled")
    assert found == why or (why is not None and str(found).startswith(why))
    assert time.monotonic() - began < 10, "a cluster that asks for a token is not asked twice"

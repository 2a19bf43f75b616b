"""Processes that Ray cannot start, or loses while they start: the launch says why or goes on, and nothing counts as failed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import GRIDS, ROOT, Facegrid, Store, facegrid, grid, here
from ray_nodes import Nodes

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]
STUDY = Path("studies", "tiny")


def one_cell(tree: dict[str, Any]) -> None:
    del tree["axes"], tree["skip"], tree["explainers"]
    tree["base"]["recipe"]["epochs"] = 1
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0}, "retries": 1}


def left_open(folder: Path, file: Path) -> None:
    """No stage has begun or failed, and a launch without Ray goes on."""
    store = Store(folder / STUDY / "store")
    assert store.attempts() == {}
    here(folder, "launch", file, "launch.executor=local")
    assert {kind for kind, _ in store.contents()} == {"train", "evaluate"}


def test_processes_that_are_killed_for_memory_while_they_start_are_no_failure(tmp_path: Path) -> None:
    file = grid(tmp_path / "tiny.yaml", one_cell)
    limits = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}  # below what any machine uses
    said = facegrid(tmp_path, "launch", file, code=1, **limits)
    assert "Traceback" not in said
    assert "out of memory with 1 CPU; it goes on with 1 CPU, " in said, "in larger slots, up to the largest"
    assert "unfinished out of memory with 1 CPU, " in said
    assert "launch again when processes can start" in said
    left_open(tmp_path, file)


@pytest.fixture
def own_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """A cluster that shares its head with no other test."""
    made = Nodes(monkeypatch)
    yield made
    made.close()


def test_an_environment_that_a_node_cannot_set_up_is_named(own_nodes: Nodes, tmp_path: Path) -> None:
    cluster = own_nodes
    folder = Path(cluster.add(num_cpus=1).get_runtime_env_dir_path(), "working_dir_files")
    limit = time.monotonic() + 60
    while not folder.is_dir():  # the node's agent makes it
        assert time.monotonic() < limit
        time.sleep(0.1)
    folder.rmdir()  # where the node unpacks the code that the driver sends
    folder.write_text("no folder")
    file = grid(tmp_path / "tiny.yaml", one_cell)
    said = facegrid(tmp_path, "launch", file, "--address", cluster.address, code=1)
    assert "Traceback" not in said
    assert "unfinished the process or node that ran it was lost too often (Failed to set up runtime environment." in said
    left_open(tmp_path, file)


def test_a_node_that_dies_while_a_process_starts_there_costs_nothing(nodes: Any, tmp_path: Path) -> None:
    late = tmp_path / "late"
    cluster = nodes(PYTHONPATH=os.pathsep.join(map(str, (GRIDS / "late_workers", GRIDS, ROOT))), FACEGRID_TEST_LATE=str(late))
    late.touch()
    place = cluster.add(num_cpus=1)
    waiting = Path(f"{late}.waiting")
    file = grid(tmp_path / "tiny.yaml", one_cell)
    with Facegrid(tmp_path, "launch", file, "launch.retries=0", "--address", cluster.address) as driver:
        raylet = place.all_processes["raylet"][0].process.pid
        driver.until(lambda: waiting.exists() and any(line.endswith(f" {raylet}") for line in waiting.read_text().splitlines()))
        driver.until(lambda: "each unit of work has" in driver.said)
        cluster.cluster.remove_node(place, allow_graceful=False)
        late.unlink()
        cluster.add(num_cpus=1)
        assert driver.wait() == 0, driver.said
    assert "Traceback" not in driver.said
    assert set(Store(tmp_path / STUDY / "store").attempts().values()) == {1}

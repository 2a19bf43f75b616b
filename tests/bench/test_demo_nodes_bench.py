"""The demo on a real Ray cluster: a head and two nodes with a processor and a GPU each, which only Ray's scheduler believes in.

Its cells spread over the nodes, no node has two stages at once at any moment that is looked at, and all results equal those of
a launch on one machine.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from launching import ROOT, Facegrid, Store
from ray_nodes import Nodes

pytestmark = pytest.mark.timeout(7200)
DEMO = ROOT / "configs/grids/demo.yaml"
PERIOD = 0.5  # seconds between two looks
PATIENCE = 3600.0  # seconds


def test_the_demo_spreads_over_nodes_and_its_results_are_those_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Nodes(monkeypatch)
    store = Store(tmp_path / "spread" / "store")
    looks, busiest, seconds = 0, 0, Counter[int]()
    trained_on: dict[int, set[str]] = {}
    try:
        for _ in range(2):
            cluster.add(num_cpus=1, num_gpus=1)
        raylets = {one.process.pid for node in cluster.cluster.worker_nodes for one in node.all_processes["raylet"]}
        began = time.monotonic()
        words = ("launch", DEMO, f"launch.study={tmp_path / 'spread'}", "launch.resources.cpus=1", "--address", cluster.address)
        with Facegrid(tmp_path, *words) as driver:
            while driver.process.poll() is None and time.monotonic() < began + PATIENCE:
                running: Counter[int] = Counter()
                for kind, _, claim in store.claims():
                    if (node := _parent(claim.get("pid"))) in raylets:
                        running[node] += 1
                        trained_on.setdefault(node, set()).add(kind)
                looks += bool(running)
                busiest = max(busiest, 0, *running.values())
                seconds.update(running.keys())
                time.sleep(PERIOD)
            assert driver.wait() == 0, driver.said
        took = time.monotonic() - began
    finally:
        cluster.close()
    shares = " and ".join(f"{PERIOD * count:.0f}" for count in seconds.values())
    print(f"\n{took:.0f} s; {looks} looks, at most {busiest} stage on a node at once; about {shares} s of stages on the nodes")
    assert looks > 50
    assert busiest == 1
    assert set(seconds) == raylets
    assert all("train" in kinds for kinds in trained_on.values())
    began = time.monotonic()
    with Facegrid(tmp_path, "launch", DEMO, f"launch.study={tmp_path / 'alone'}") as driver:
        assert driver.wait(PATIENCE) == 0, driver.said
    print(f"on one machine: {time.monotonic() - began:.0f} s")
    spread, alone = store.contents(), Store(tmp_path / "alone" / "store").contents()
    scores = [key for key in alone if key[0] == "evaluate"]
    assert len(scores) == 12
    assert {key: spread[key] for key in scores} == {key: alone[key] for key in scores}
    assert {key for key in alone if key[0] not in ("detect", "detect_shard")} <= spread.keys()


def _parent(pid: int | None) -> int | None:
    try:
        return psutil.Process(pid).ppid() if pid else None
    except psutil.NoSuchProcess:
        return None

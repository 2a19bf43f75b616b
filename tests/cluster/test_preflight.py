"""`facegrid cluster preflight` on several real Ray nodes, with faults planted in one of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import GRIDS, ROOT, TINY, here_any
from loopback import free_port
from ray_nodes import Nodes

from grid.execution import cluster_preflight

pytestmark = pytest.mark.timeout(600)


def preflight(folder: Path, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and findings."""
    code, said = here_any(folder, "cluster", "preflight", TINY, "--json", *arguments)
    assert code in (0, 1), said
    assert "Traceback" not in said
    errors, brace, rest = said.partition("{\n")
    assert all(line.startswith(("connecting to Ray at ", "joined Ray at ", "Ray on ")) for line in errors.splitlines()), errors
    found = json.loads(brace + rest)
    assert found["ok"] is (code == 0)
    return code, found["findings"]


def wrong(found: list[dict[str, Any]], check: str) -> list[dict[str, Any]]:
    return [one for one in found if one["check"] == check and not one["ok"]]


class OwnDisk:
    """A node that sees another disk at the store's path, claims a GPU that it has not, and has another version of timm."""

    def __init__(self, cluster: Nodes, store: Path, packages: Path) -> None:
        fake = packages / "timm-0.9.0.dist-info"
        fake.mkdir(parents=True)
        (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: timm\nVersion: 0.9.0\n")
        start = f"{sys.executable} -m ray.scripts.scripts start --address={cluster.address} --num-cpus=1 --num-gpus=1 --block"
        more = {"PYTHONPATH": os.pathsep.join([str(packages), str(GRIDS), str(ROOT)])}
        self.store = store
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs own {store} && exec {start}"],
            env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        limit = time.monotonic() + 90
        while cluster.alive() < 3:
            assert self.process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.1)

    def read_only(self) -> None:
        """From now on the node cannot write at the store's path."""
        command = ["nsenter", f"--target={self.process.pid}", "--mount", "mount", "-o", "remount,ro", str(self.store)]
        subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    """A head and a node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        made = Nodes(patch)
        made.add(num_cpus=1)
        yield made
        made.close()


def test_a_sound_cluster_passes_and_its_store_is_left_as_it_was(cluster: Nodes, tmp_path: Path) -> None:
    second = cluster.add(num_cpus=1)
    study = tmp_path / "studies" / "tiny"
    code, found = preflight(tmp_path, f"launch.study={study}", "--address", cluster.address)
    cluster.remove(second)
    assert code == 0, found
    checks = [one["check"] for one in found]
    assert set(checks) == {"versions", "gpu", "network", "store", "clock", "disk", "tracking"}
    assert checks.count("clock") == 3  # the head and two nodes
    assert checks.count("gpu") == 3
    (network,) = (one for one in found if one["check"] == "network")
    assert network["text"] == "gloo: the all-reduce over 2 nodes is correct"
    (stored,) = (one for one in found if one["check"] == "store")
    assert "3 nodes and the driver" in stored["text"]
    assert list((study / "store").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="a node with a disk of its own needs root")
def test_faults_of_one_node_are_named_with_the_node_and_what_to_do(
    cluster: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_preflight, "VISIBLE", 1.0)
    study, store = tmp_path / "study", tmp_path / "store"
    store.mkdir()
    node = OwnDisk(cluster, store, tmp_path / "packages")
    closed = f"http://127.0.0.1:{free_port()}"
    settings = (f"launch.study={study}", f"launch.store={store}", f"launch.tracking={closed}", "--address", cluster.address)
    code, found = preflight(tmp_path, *settings)
    assert code == 1
    (gpu,) = wrong(found, "gpu")
    assert "Ray offers 1, torch sees 0" in gpu["text"]
    culprit = gpu["node"]
    (version,) = wrong(found, "versions")
    assert version["node"] == culprit
    assert version["text"].startswith("timm 0.9.0, not ")
    others = {one["node"]: one["text"] for one in wrong(found, "store")}
    assert len(others) == 4, "each side misses what the other wrote"
    assert f"does not show what {culprit} wrote" in others["driver"]
    assert "driver" in others[culprit].partition("what ")[2]
    assert "mount the same one" in wrong(found, "store")[0]["do"]
    (tracking,) = wrong(found, "tracking")
    assert (tracking["node"], tracking["text"]) == ("driver", f"{closed}: no server answers")
    assert not wrong(found, "network")
    assert list(store.iterdir()) == []

    node.read_only()
    code, found = preflight(tmp_path, *settings)
    assert code == 1
    (unwritable,) = wrong(found, "store")
    assert unwritable["node"] == culprit
    assert "cannot be written (Read-only file system)" in unwritable["text"]
    assert all(one["do"] for one in found if not one["ok"])


def test_this_machine_alone_needs_no_ray(tmp_path: Path) -> None:
    code, found = preflight(tmp_path, f"launch.study={tmp_path / 'study'}")
    assert code == 0, found
    assert {one["check"] for one in found} == {"versions", "gpu", "store", "disk", "tracking"}
    blocked = tmp_path / "file"
    blocked.write_text("")
    code, found = preflight(tmp_path, f"launch.study={tmp_path / 'study'}", f"launch.store={blocked}/store")
    assert code == 1
    assert {one["node"] for one in wrong(found, "store")} == {"driver"}
    code, found = preflight(tmp_path, f"launch.study={tmp_path / 'study'}", "launch.store=nosuch.module://store")
    assert code == 1
    assert {one["check"] for one in found} == {"versions", "gpu", "store", "disk", "tracking"}, (
        "a store cannot be opened at all"
    )

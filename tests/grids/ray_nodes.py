"""Several real Ray nodes on this machine."""

from __future__ import annotations

import os
import uuid
from typing import Any

import psutil
import pytest
from launching import GRIDS, ROOT, TAG, end, family

# A killed node counts as lost after five failed checks, 15 s with Ray's own period. A slow answer is none: it may take 10 s.
CHECKS = {"RAY_health_check_period_ms": "500", "RAY_health_check_initial_delay_ms": "1000"}


def own_code() -> dict[str, str]:
    """A folder of its own for the code that Ray unpacks on a node.

    All nodes of a machine would use that of the head, each after removing it. A worker that starts meanwhile is without a
    working directory, for which Intel's MKL ends its process.
    """
    return {"runtime_env_dir_name": f"runtime_resources_{uuid.uuid4().hex[:8]}"}


class Cluster:
    """The head of a Ray cluster; it computes nothing. Its nodes are added by ``Nodes``."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as RayCluster

        self.family = uuid.uuid4().hex
        with pytest.MonkeyPatch.context() as patch:
            _set(patch, self.family, CHECKS)
            self.ray = RayCluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})

    def close(self) -> None:
        self.ray.shutdown()
        _end(self.family)


class Nodes:
    """Nodes of a cluster with the resources asked for.

    Args:
        monkeypatch: of a test
        cluster: their head; a new one if it is None
        more: environment variables of the nodes added from now on; workers inherit them
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cluster: Cluster | None = None, **more: str) -> None:
        self.family = uuid.uuid4().hex
        self.head = cluster or Cluster()
        self.own = cluster is None
        self.cluster = self.head.ray
        _set(monkeypatch, self.family, more)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, **resources: float) -> Any:
        return self.cluster.add_node(include_dashboard=False, **own_code(), **resources)

    def remove(self, node: Any) -> None:
        """Returns when the head has forgotten it."""
        self.cluster.remove_node(node)
        self.cluster.wait_for_nodes()

    def alive(self) -> int:
        """Number of nodes that the head knows, itself included."""
        return len(self.cluster.global_state._live_node_ids())

    def close(self) -> None:
        """Removes the nodes, and the head if it is their own; a head that others use has forgotten them then."""
        if self.own:
            self.head.close()
        else:
            for node in list(self.cluster.worker_nodes):
                self.cluster.remove_node(node)
            self.cluster.wait_for_nodes()
        _end(self.family)


def _set(patch: pytest.MonkeyPatch, tag: str, more: dict[str, str]) -> None:
    """What processes of Ray that are started from now on inherit."""
    from grid.execution.ray_start import QUIET

    path = f"{GRIDS}{os.pathsep}{ROOT}"
    for key, value in {**QUIET, TAG: tag, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}.items():
        patch.setenv(key, value)


def _end(tag: str) -> None:
    for process in family(tag):
        if process.pid != os.getpid():
            end(process)
    psutil.wait_procs([one for one in family(tag) if one.pid != os.getpid()], timeout=10)

"""Several real Ray nodes on this machine."""

from __future__ import annotations

import os
import uuid
from typing import Any

import psutil
import pytest
from launching import GRIDS, ROOT, TAG, end, family


class Nodes:
    """A cluster: a head that computes nothing, and nodes with the resources asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
        from ray.cluster_utils import Cluster

        from grid.execution.ray_start import QUIET

        self.family = uuid.uuid4().hex
        for key, value in {
            **QUIET,
            TAG: self.family,
            "PYTHONPATH": f"{GRIDS}{os.pathsep}{ROOT}",
            "OMP_NUM_THREADS": "1",
            **more,
        }.items():
            monkeypatch.setenv(key, value)  # workers inherit a node's environment
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self, **resources: float) -> Any:
        return self.cluster.add_node(include_dashboard=False, **resources)

    def close(self) -> None:
        self.cluster.shutdown()
        for process in family(self.family):
            if process.pid != os.getpid():
                end(process)
        psutil.wait_procs([one for one in family(self.family) if one.pid != os.getpid()], timeout=10)

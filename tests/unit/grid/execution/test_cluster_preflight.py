"""Which checks a cluster gets; tests/cluster/test_preflight.py runs them on real Ray nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cluster.collective import sum_over_nodes
from grid.execution.cluster_preflight import _collective
from grid.execution.nodes import Node, Nodes


class Recorded(Nodes):
    """Nodes with a CPU and a GPU whose all-reduce is always correct."""

    def __init__(self, *names: str) -> None:
        self.nodes = [Node(name, name, "127.0.0.1", {"CPU": 1.0, "GPU": 1.0}) for name in names]
        self.backends: list[str] = []

    def begin(self, node: Node, call: Callable[..., Any], *arguments: Any, gpus: float = 0) -> Any:
        if call is sum_over_nodes:
            self.backends.append(arguments[-1])
            return None
        return call(*arguments)

    def wait(self, name: str, reference: Any) -> Any:
        return reference


@pytest.mark.parametrize(("without", "backends"), [(set(), ["gloo", "nccl"]), ({"b"}, ["gloo"])])
def test_nccl_is_checked_where_all_gpus_can_be_used(without: set[str | None], backends: list[str]) -> None:
    nodes = Recorded("a", "b")
    found = list(_collective(nodes, without))
    assert [finding.text.partition(":")[0] for finding in found] == backends
    assert list(dict.fromkeys(nodes.backends)) == backends

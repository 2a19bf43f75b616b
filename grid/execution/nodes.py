"""Calls a function on every machine: this one, and the nodes of a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.findings import DRIVER

FIRST, LATER = 180.0, 90.0  # seconds: the first call on a node waits until it has unpacked the code


@dataclass(frozen=True)
class Node:
    """A node of the cluster. ``address`` is the one by which other nodes reach it."""

    name: str
    id: str
    address: str
    resources: Mapping[str, float]


class Unanswered(Exception):
    """A node did not answer in time, or its process died; the message says which."""


class Nodes:
    """The nodes of the Ray cluster that this process is connected to."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        self.nodes = [
            Node(name, node["NodeID"], node["NodeManagerAddress"], node["Resources"])
            for name, node in zip(node_names(nodes), nodes, strict=True)
        ]
        self.called: set[str] = set()

    def each(self, call: Callable[..., Any], *arguments: Any, own: Mapping[str, Sequence[Any]] | None = None) -> dict[str, Any]:
        """The results of ``call(*arguments, *own[node])`` on all nodes at once: name -> result, or an ``Unanswered``."""
        begun = {node.name: self.begin(node, call, *arguments, *(own or {}).get(node.name, ())) for node in self.nodes}
        return {name: self.wait(name, reference) for name, reference in begun.items()}

    def begin(self, node: Node, call: Callable[..., Any], *arguments: Any, gpus: float = 0) -> Any:
        """Starts a call on one node; with ``gpus``, it waits until so many are free there."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(node.id, soft=False)
        options: dict[str, Any] = {"num_cpus": 0, "num_gpus": gpus, "max_retries": 0, "scheduling_strategy": place}
        return ray.remote(call).options(**options).remote(*arguments)

    def wait(self, name: str, reference: Any) -> Any:
        import ray

        seconds = LATER if name in self.called else FIRST
        try:
            found = ray.get(reference, timeout=seconds)
        except ray.exceptions.GetTimeoutError:
            ray.cancel(reference, force=True)
            return Unanswered(f"no answer within {seconds:.0f} s")
        except ray.exceptions.RayError as error:
            return Unanswered(" ".join(str(error).split())[-300:])
        self.called.add(name)
        return found


def now() -> float:
    """This machine's clock, in unix seconds."""
    return time.time()


def node_names(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Host names; where two nodes have the same, followed by a part of their ids."""
    hosts = [str(node["NodeManagerHostname"]) for node in nodes]
    return [
        host if hosts.count(host) == 1 and host != DRIVER else f"{host}-{node['NodeID'][:6]}"
        for host, node in zip(hosts, nodes, strict=True)
    ]


def clock_offset(ask: Callable[[], float]) -> tuple[float, float]:
    """Seconds by which another clock is ahead of this one's, and half the duration of the best of several measurements.

    The answer was given at an unknown moment of the call, so the middle is wrong by at most half of its duration
    (Cristian, Probabilistic clock synchronization, Distributed Computing 3, 1989).

    Args:
        ask: returns the other clock's time, in unix seconds
    """
    best = (0.0, float("inf"))
    for _ in range(3):
        before, began = time.time(), time.monotonic()
        theirs = ask()
        half = (time.monotonic() - began) / 2
        if half < best[1]:
            best = (theirs - before - half, half)
    return best

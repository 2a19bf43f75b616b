"""The shape of a cluster as text: ``4x8:H100/64`` is 4 nodes, each with 8 GPUs of type H100 and 64 CPU cores."""

from __future__ import annotations

import re
from dataclasses import dataclass

GROUP = re.compile(r"(?P<nodes>[1-9]\d*)x(?P<gpus>\d+)(?::(?P<type>[A-Za-z0-9._-]+))?(?:/(?P<cpus>[1-9]\d*))?")
FORM = "NODESxGPUS:TYPE/CPUS, such as 4x8:H100 or 4x8:H100/64+2x0/32"
MOST = 10_000  # nodes


@dataclass(frozen=True)
class NodeGroup:
    """Equal nodes. ``cpus`` None: as many cores as the work on its GPUs reserves."""

    nodes: int
    gpus: int
    type: str | None
    cpus: int | None


def parse_shape(text: str) -> tuple[NodeGroup, ...]:
    """The groups of nodes of a cluster, separated by ``+``.

    Raises:
        ValueError: it has another form or several types of GPUs, or a node has neither GPUs nor a number of CPU cores.
    """
    found = []
    for part in text.split("+"):
        match = GROUP.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is no part of a cluster; write {FORM}")
        cpus = int(match["cpus"]) if match["cpus"] else None
        group = NodeGroup(int(match["nodes"]), int(match["gpus"]), match["type"], cpus)
        if not group.gpus and (group.type or cpus is None):
            raise ValueError(f"{part.strip()!r}: nodes without GPUs have no type, and their number of cores is needed: 2x0/32")
        found.append(group)
    if len({group.type for group in found if group.gpus}) > 1:
        raise ValueError(f"{text!r}: durations differ between types of GPUs; estimate one type at a time")
    if sum(group.nodes for group in found) > MOST:
        raise ValueError(f"{text!r} has more than {MOST} nodes")
    return tuple(found)


def checked_shape(text: str) -> str:
    """The text itself; raises ValueError as ``parse_shape`` does."""
    parse_shape(text)
    return text

"""What the facts of several machines mean for a launch: one finding per line, with what to do. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DRIVER = "driver"  # the machine that runs the command
CLOCK = 5.0  # seconds by which clocks may differ; a lease is renewed every 10 s
TEMPORARY, STORE = 1 << 30, 5 << 30  # bytes required on the disk of temporary files and on that of the store


@dataclass(frozen=True)
class Finding:
    """One result of a check. ``node`` is None if it concerns all of them, ``do`` is None if nothing has to be done."""

    check: str
    ok: bool
    text: str
    node: str | None = None
    do: str | None = None


def versions(nodes: Mapping[str, Mapping[str, str | None]]) -> list[Finding]:
    """Compares package versions (node -> package -> version) with those of the driver."""
    own = nodes[DRIVER]
    found = []
    for node, theirs in nodes.items():
        differ = [
            f"{name} {theirs.get(name) or 'is missing'}, not {mine}" for name, mine in own.items() if theirs.get(name) != mine
        ]
        if differ:
            more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
            do = "give every node the driver's environment or image (constraints.txt)"
            found.append(Finding("versions", False, f"{'; '.join(differ[:3])}{more}", node, do))
    python, ray = own.get("python"), own.get("ray")
    return found or [Finding("versions", True, f"equal on {_nodes(nodes)}: {len(own)} packages, python {python}, ray {ray}")]


def gpus(node: str, offered: float, seen: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Compares the number of GPUs that Ray offers on a node with those that torch sees there and that compute correctly."""
    broken = [
        Finding("gpu", False, f"{one['name']}: {one['error']}", node, "check the driver (nvidia-smi), or remove the node")
        for one in seen
        if one["error"]
    ]
    if offered > len(seen):
        text = f"Ray offers {offered:g}, torch sees {len(seen)}"
        do = "install NVIDIA's driver and a torch built for it, or start Ray there with --num-gpus=0"
        return [*broken, Finding("gpu", False, text, node, do)]
    names = Counter(f"{one['name']}, {one['gib']:g} GiB" for one in seen if not one["error"])
    return broken or [Finding("gpu", True, "; ".join(f"{count} x {name}" for name, count in names.items()) or "none", node)]


def clock(node: str, offset: float, uncertainty: float) -> Finding:
    """Judges a node's clock against the driver's.

    Args:
        offset: seconds by which it is ahead
        uncertainty: half the duration of the measurement, in seconds
    """
    if abs(offset) - uncertainty > CLOCK:
        text = f"{abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the driver's"
        return Finding("clock", False, text, node, "synchronize the clocks (chrony or ntpd): leases compare times")
    return Finding("clock", True, f"within {max(abs(offset) + uncertainty, 0.001):.3f} s of the driver's", node)


def disk(node: str, free: Mapping[str, int], store: str | None) -> list[Finding]:
    """Judges the free space of folders (folder -> bytes)."""
    found = []
    for folder, left in free.items():
        needed = STORE if folder == store else TEMPORARY
        text = f"{folder}: {left / 2**30:.1f} GiB free"
        short = f"free at least {needed >> 30} GiB, or choose another {'launch.store' if folder == store else 'TMPDIR'}"
        found.append(Finding("disk", left >= needed, text, node, None if left >= needed else short))
    return found


def store(place: str, written: Mapping[str, Mapping[str, Any]], read: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Judges what nodes wrote to the store, and what they then read.

    Args:
        written: node -> ``error`` (None if it wrote an object of its own) and ``first`` (whether it created the object that all
            tried to create)
        read: node -> ``error`` and ``seen``, the nodes whose objects it read back whole
    """
    found = []
    for node, facts in written.items():
        if facts["error"]:
            do = (
                "correct the address of the store, and the credentials and endpoint in the environment of this node"
                if "://" in place
                else "mount it there under the same path, writable, or choose another launch.store"
            )
            found.append(Finding("store", False, f"{place}: {facts['error']}", node, do))
    able = {node for node, facts in written.items() if not facts["error"]}
    for node in sorted(able):
        if error := read[node]["error"]:
            found.append(
                Finding(
                    "store", False, f"{place}: {error}", node, "compare its mount of the store with that of the other nodes"
                )
            )
        elif lacking := sorted(able - set(read[node]["seen"])):
            text = f"{place}: does not show what {', '.join(lacking)} wrote"
            do = "it is another disk under the same path, or one that is not consistent: mount the same one on all nodes"
            found.append(Finding("store", False, text, node, do))
    first = [node for node, facts in written.items() if facts["first"]]
    if able and not found and len(first) != 1:
        which = f" ({', '.join(first)})" if first else ""
        text = f"{place}: {len(first)} nodes created the same object{which}, but exactly one must"
        do = (
            "use a server with conditional writes (If-None-Match: *), as Amazon S3, Google Cloud Storage and Azure have"
            if "://" in place
            else "use a file system on which link() is atomic, such as NFSv4"
        )
        found.append(Finding("store", False, text, None, do))
    return found or [Finding("store", True, f"{place}: written and read by {_nodes(written)}, and created by one at a time")]


def _nodes(nodes: Mapping[str, Any]) -> str:
    others = len(nodes) - 1
    return f"{others} {'node' if others == 1 else 'nodes'} and the driver" if others else "this machine"

"""Checks a cluster before a launch: tasks on every node, one finding per line."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from cluster import findings
from cluster.collective import free_port, sum_over_nodes
from cluster.findings import DRIVER, Finding
from cluster.node_facts import gpu_facts, node_facts
from grid.execution.nodes import Node, Nodes, Unanswered, clock_offset, now
from grid.execution.ray_start import connected
from grid.ledger.store import LocalStore, open_store
from grid.ledger.store_probe import VISIBLE, read_probe, write_probe
from grid.secrets import masked
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch
from grid.version import required_packages

RESTART = "see Ray's logs there (/tmp/ray/session_latest/logs), or remove the node"


def check_cluster(launch: Launch, study: Path, store: Path | str, say: Callable[[str], None]) -> Iterator[Finding]:
    """All findings about the cluster at ``launch.address``, or about this machine if it is None.

    The store gets a few objects, which are deleted again. Its folder is created as a launch would create it.

    Raises:
        BadInput: Ray cannot be reached, or no node has ``launch.resources``.
    """
    if isinstance(store, Path):
        yield from _made(store)
    if launch.address is None:
        yield from _checks(Nodes([]), store)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="facegrid-preflight-", ignore_cleanup_errors=True) as scratch,
            connected(launch, Path(scratch), say),
        ):
            import ray

            yield from _checks(Nodes([node for node in ray.nodes() if node["Alive"]]), store)
    yield from check_tracking(launch.tracking, study)


def _made(store: Path) -> Iterator[Finding]:
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        do = "change the rights, or choose another with launch.store"
        yield Finding("store", False, f"{store}: cannot be created ({error.strerror})", DRIVER, do)


def _checks(nodes: Nodes, store: Path | str) -> Iterator[Finding]:
    place, folder = str(store), str(store) if isinstance(store, Path) else None
    names = required_packages()
    facts: dict[str, Any] = {DRIVER: node_facts(names, folder), **nodes.each(node_facts, names, folder)}
    for name, found in list(facts.items()):
        if isinstance(found, Unanswered):
            yield Finding("node", False, str(found), name, RESTART)
            del facts[name]
    nodes.nodes = [node for node in nodes.nodes if node.name in facts]
    yield from findings.versions({name: found["versions"] for name, found in facts.items()})
    gpus = list(_gpus(nodes))
    yield from gpus
    yield from _collective(nodes, {finding.node for finding in gpus if not finding.ok})
    yield from _store(nodes, place)
    for node in nodes.nodes:
        yield _clock(nodes, node)
    for name, found in facts.items():
        yield from findings.disk(name, found["free"], folder)


def _clock(nodes: Nodes, node: Node) -> Finding:
    def ask() -> float:
        found = nodes.wait(node.name, nodes.begin(node, now))
        if isinstance(found, Unanswered):
            raise found
        return float(found)

    try:
        return findings.clock(node.name, *clock_offset(ask))
    except Unanswered as error:
        return Finding("node", False, str(error), node.name, RESTART)


def _gpus(nodes: Nodes) -> Iterator[Finding]:
    if not nodes.nodes:
        yield from findings.gpus(DRIVER, 0, gpu_facts())
        return
    offered = {node.name: node.resources.get("GPU", 0) for node in nodes.nodes}
    begun = {node.name: nodes.begin(node, gpu_facts, gpus=offered[node.name]) for node in nodes.nodes}
    for name, reference in begun.items():
        found = nodes.wait(name, reference)
        if isinstance(found, Unanswered):
            text = f"{offered[name]:g} GPUs could not be reserved ({found})"
            yield Finding("gpu", False, text, name, "try again when no other job holds them")
        else:
            yield from findings.gpus(name, offered[name], found)


def _collective(nodes: Nodes, without: Set[str | None]) -> Iterator[Finding]:
    """An all-reduce over the nodes that can run a training: with gloo, and with nccl if each of them has a GPU.

    Args:
        without: nodes whose GPUs cannot be used, as another finding says
    """
    able = [node for node in nodes.nodes if node.resources.get("CPU", 0)]
    if len(able) < 2:
        return
    gpus = all(node.resources.get("GPU", 0) >= 1 and node.name not in without for node in able)
    for backend in ["gloo", *(["nccl"] if gpus else [])]:
        host = able[0].address
        port = nodes.wait(able[0].name, nodes.begin(able[0], free_port, host))
        if isinstance(port, Unanswered):
            yield Finding("network", False, f"{host}: {port}", able[0].name, RESTART)
            return
        begun = {
            node.name: nodes.begin(node, sum_over_nodes, rank, len(able), host, port, backend, gpus=float(backend == "nccl"))
            for rank, node in enumerate(able)
        }
        ends = {name: nodes.wait(name, reference) for name, reference in begun.items()}
        do = f"open the ports between the nodes, and set {backend.upper()}_SOCKET_IFNAME to the network that they share"
        wrong = [Finding("network", False, f"{backend}: {end}", name, do) for name, end in ends.items() if end is not None]
        yield from wrong or [Finding("network", True, f"{backend}: the all-reduce over {len(able)} nodes is correct")]


def _store(nodes: Nodes, place: str) -> Iterator[Finding]:
    prefix = f"preflight-{uuid.uuid4().hex}"
    names = [DRIVER, *(node.name for node in nodes.nodes)]
    own = {name: (name,) for name in names}
    try:
        written = {DRIVER: write_probe(place, prefix, DRIVER), **nodes.each(write_probe, place, prefix, own=own)}
        written = {name: _answer(end, first=False) for name, end in written.items()}
        able = [name for name, end in written.items() if not end["error"]]
        # the nodes read first: an object that the driver's read has brought into a cache would prove nothing
        limit = time.monotonic() + VISIBLE
        read = nodes.each(read_probe, place, prefix, able, VISIBLE)
        read[DRIVER] = read_probe(place, prefix, able, max(0.0, limit - time.monotonic()))
        yield from findings.store(masked(place), written, {name: _answer(end, seen=()) for name, end in read.items()})
    finally:
        nodes.each(forget_probe, place, prefix)  # on each: they may be different disks
        forget_probe(place, prefix)


def forget_probe(place: str, prefix: str) -> None:
    """Deletes the objects of a probe, where that is possible."""
    try:
        store = open_store(place)
        if not isinstance(store, LocalStore) or store.root.is_dir():
            store.delete(prefix)
    except (OSError, BadInput):  # a finding says so
        return


def _answer(end: Any, **otherwise: Any) -> Mapping[str, Any]:
    return {"error": str(end), **otherwise} if isinstance(end, Unanswered) else end


def check_tracking(tracking: str | None, study: Path) -> Iterator[Finding]:
    """Whether MLflow answers the driver, the only machine that talks to it."""
    from grid.tracking.answers import words
    from grid.tracking.uri import connect, database_file, tracking_uri

    try:
        uri = tracking_uri(tracking, study)
    except BadInput as error:
        yield Finding("tracking", False, str(error), DRIVER, "set launch.tracking")
        return
    if file := database_file(uri):  # a launch creates it
        folder = next(parent for parent in file.parents if parent.exists())
        able = os.access(folder, os.W_OK)
        do = None if able else "choose another launch.tracking or launch.study"
        yield Finding("tracking", able, f"{masked(uri)}: {'can' if able else 'cannot'} be written", DRIVER, do)
        return
    try:
        connect(uri)
    except Exception as error:  # MLflow raises many kinds
        do = "start the server, or correct launch.tracking; a launch goes on without it, and `facegrid sync` copies later"
        yield Finding("tracking", False, f"{masked(uri)}: {words(error, uri)}", DRIVER, do)
        return
    yield Finding("tracking", True, f"{masked(uri)}: answers", DRIVER)

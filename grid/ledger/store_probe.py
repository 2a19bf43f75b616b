"""Tests a store from several machines: each writes an object, all try to create the same one, each reads everyone's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from grid.ledger.store import LocalStore, open_store
from grid.spec.grid_file import BadInput

VISIBLE = 15.0  # seconds in which an object must be visible everywhere; network file systems cache listings for some
POLL = 0.25  # seconds


def write_probe(place: str, prefix: str, node: str) -> dict[str, Any]:
    """Writes this node's object.

    Args:
        prefix: of all objects of the probe, such as ``preflight-1f3a``

    Returns:
        ``error``, None if it was written; ``first``: whether this node created the object that all try to create
    """
    try:
        store = open_store(place)
        if isinstance(store, LocalStore) and not store.root.is_dir():
            return {"error": "there is no such folder", "first": False}  # a write would make one on this node's own disk
        store.put(f"{prefix}/{node}", node.encode())
        return {"error": None, "first": store.create(f"{prefix}/first", node.encode())}
    except (OSError, BadInput) as error:
        return {"error": f"cannot be written ({_words(error)})", "first": False}


def read_probe(place: str, prefix: str, nodes: Sequence[str], patience: float = VISIBLE) -> dict[str, Any]:
    """Reads the objects of all nodes, waiting for those that are not visible yet.

    Returns:
        ``error``, None if the store can be read; ``seen``: the nodes whose objects are listed and have the content written
    """
    limit = time.monotonic() + patience
    while True:
        try:
            store = open_store(place)
            names = set(store.names(prefix))
            seen = [node for node in nodes if node in names and store.get(f"{prefix}/{node}") == node.encode()]
        except (OSError, BadInput) as error:
            return {"error": f"cannot be read ({_words(error)})", "seen": []}
        if len(seen) == len(nodes) or time.monotonic() > limit:
            return {"error": None, "seen": seen}
        time.sleep(POLL)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())

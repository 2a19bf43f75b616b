"""The workers of a study, announced in its folder before they plan, which takes seconds, and until they end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grid.ledger.lock import Lock, live_holder
from grid.ledger.store import LocalStore

WORKERS = "workers"


@contextmanager
def announced(study: Path) -> Iterator[None]:
    """Context manager: others see that a worker of this study is alive. Removes what killed workers left."""
    store, own = LocalStore(study), f"{WORKERS}/{uuid.uuid4().hex[:8]}"
    for other in store.names(WORKERS):
        if live_holder(store, f"{WORKERS}/{other}/lease") is None:
            store.delete(f"{WORKERS}/{other}")
    try:
        with Lock(store, "work", prefix=f"{own}/lease"):
            yield
    finally:
        store.delete(own)


def worker_alive(study: Path) -> bool:
    """Whether a worker of this study is alive."""
    store = LocalStore(study)
    return any(live_holder(store, f"{WORKERS}/{one}/lease") is not None for one in store.names(WORKERS))

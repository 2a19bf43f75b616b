"""Why Ray lost the process of a unit of work: its node's memory, its node, or something else."""

from __future__ import annotations

import os
import pickle
import time
from typing import Any

NOTICED = 15.0  # seconds within which Ray notices that a node is gone
POLL = 0.5  # seconds


def error_of(trial: Any) -> BaseException | None:
    """The exception that ended a trial of Tune; None if it left none that can be read."""
    file = trial.pickled_error_file  # in the driver's folder; ``get_pickled_error`` reads a copy that comes later
    if file is None or not os.path.exists(file):
        return None
    try:
        with open(file, "rb") as pickled:
            found = pickle.load(pickled)
    except Exception:  # of a class that this process cannot import: then the process counts as lost, like most
        return None
    return found if isinstance(found, BaseException) else None


def killed_for_memory(error: BaseException | None) -> bool:
    """Whether Ray's memory monitor killed the process, since its node ran low on memory."""
    import ray

    return isinstance(error, ray.exceptions.OutOfMemoryError) or "NODE_OUT_OF_MEMORY" in str(error)


def node_was_lost(error: BaseException | None, node: str | None, patience: float = NOTICED) -> bool:
    """Whether the process was lost with its node, or by preemption; may wait for Ray to notice.

    Args:
        node: Ray's id of the node that the process ran on; None: not known
    """
    import ray

    if not isinstance(error, ray.exceptions.RayActorError):
        return False
    if error.preempted or "node has died" in str(error):
        return True
    if node is None or not isinstance(error, ray.exceptions.ActorUnavailableError):
        return False  # the process ended, and its node could say so
    limit = time.monotonic() + patience
    while any(one["NodeID"] == node and one["Alive"] for one in _nodes()):
        if time.monotonic() > limit:
            return False
        time.sleep(POLL)
    return True


def _nodes() -> list[dict[str, Any]]:
    import ray

    return list(ray.nodes())

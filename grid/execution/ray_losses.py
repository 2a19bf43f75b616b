"""Why Ray lost the process of a unit of work, or could not start one: its node's memory, its node, or something else."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from grid.stages.ranks import RankLost

LONGEST = 300  # characters of a reason
TRACE = "Traceback (most recent call last)"
LOW_MEMORY = ("killed due to the node running low on memory", "NODE_OUT_OF_MEMORY")  # of Ray's memory monitor
ASKED = ("The process receives a SIGTERM",)
LOST_NODE = ("node has died", "node it was running on is dead or unavailable")
NODE_DIED = f"its {LOST_NODE[0]}"  # of a rank


def error_of(trial: Any) -> BaseException | None:
    """The exception that ended a trial of Tune; None if it left none that can be read.

    Tune stores the exceptions of processes and of tasks. Of others, such as those of processes that could not be started, it
    keeps the text: that is a plain RayError here.
    """
    file = trial.pickled_error_file  # in the driver's folder; ``get_pickled_error`` reads a copy that comes later
    if file is None or not os.path.exists(file):
        return _error_of_text(trial.error_file)
    try:
        with open(file, "rb") as pickled:
            found = pickle.load(pickled)
    except Exception:  # of a class that this process cannot import: then the process counts as lost, like most
        return None
    return found if isinstance(found, BaseException) else None


def _error_of_text(file: str | None) -> BaseException | None:
    import ray

    try:
        text = Path(file or "").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    last: BaseException = ray.exceptions.RayError(text.rpartition("Failure # ")[2].partition("\n")[2].strip())
    return last


def loss_of(error: BaseException) -> str:
    """How Ray lost the process of a rank: words by which ``killed_for_memory`` and the like know the loss in a RankLost."""
    if killed_for_memory(error):
        return LOW_MEMORY[0]
    if was_asked_to_end(error):
        return ASKED[0]
    return NODE_DIED if node_was_lost(error) else reason_of(error) or type(error).__name__


def killed_for_memory(error: BaseException | None) -> bool:
    """Whether Ray's memory monitor killed the process, or that of a rank, since its node ran low on memory."""
    import ray

    return isinstance(error, ray.exceptions.OutOfMemoryError) or _says(_lost_rank(error) or error, LOW_MEMORY)


def was_asked_to_end(error: BaseException | None) -> bool:
    """Whether the process, or that of a rank, received SIGTERM, as all do on a machine that is taken away."""
    lost = _lost_rank(error)
    return (lost is not None or _of_process(error)) and _says(lost or error, ASKED)


def node_was_lost(error: BaseException | None) -> bool:
    """Whether Ray says that the process was lost with its node, or by preemption."""
    return _of_process(error) and (getattr(error, "preempted", False) or _says(error, LOST_NODE))


def suspects(error: BaseException | None, last: Mapping[str, Any]) -> list[str]:
    """Nodes, by Ray's ids, one of which may have been lost although Ray does not say so yet; none if only the process was.

    Args:
        last: the last report of the unit of work: its ``node`` and, of several ranks, their ``nodes``
    """
    import ray

    if nodes := json.loads(last.get("nodes", "[]")):
        return list(nodes)
    unknown = isinstance(error, ray.exceptions.ActorUnavailableError)  # else its node could say that the process has ended
    return [last["node"]] if unknown and last.get("node") else []


def one_is_gone(nodes: Collection[str]) -> bool:
    """Whether Ray knows that one of these nodes, by its ids, is no longer there."""
    return bool(nodes) and bool(set(nodes) - {one["NodeID"] for one in _nodes() if one["Alive"]})


def reason_of(error: BaseException | None) -> str:
    """Which rank was lost, or what Ray says about a process that it could not start: a line; empty if neither is known."""
    import ray

    if (lost := _lost_rank(error)) is not None:
        return " ".join(str(lost).split())[:LONGEST]
    if not isinstance(error, ray.exceptions.RayError):
        return ""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, ray.exceptions.RayActorError):  # of one that was running, Ray only says that its connection broke
        lines = lines[-1:] if getattr(error, "actor_init_failed", False) else []
    trace = next((number for number, line in enumerate(lines) if TRACE in line), len(lines))
    words = [*lines[:trace], *(line.partition(TRACE)[0].strip() for line in lines[trace : trace + 1]), *lines[trace:][-1:]]
    return " ".join(words)[:LONGEST]


def ray_error_in(error: BaseException) -> BaseException | None:
    """The exception of Ray that made Tune end with another one; None if there is none."""
    import ray

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ray.exceptions.RayError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _lost_rank(error: BaseException | None) -> RankLost | None:
    """What a process that lost another one raised, if that is the error."""
    return lost if isinstance(lost := getattr(error, "cause", error), RankLost) else None


def _of_process(error: BaseException | None) -> bool:
    """Whether it is of a process, and not raised in it."""
    import ray

    return isinstance(error, ray.exceptions.RayError) and not isinstance(error, ray.exceptions.RayTaskError)


def _says(error: BaseException | None, words: tuple[str, ...]) -> bool:
    text = " ".join(str(error).split())
    return any(one in text for one in words)


def _nodes() -> list[dict[str, Any]]:
    import ray

    return list(ray.nodes())

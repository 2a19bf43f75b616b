"""How long a cluster takes for a queue: a simulation of greedy list scheduling, in the order of the queue."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PENDING = 16  # units of work that may wait for room while later ones are placed, as in Ray Tune


class NoRoom(ValueError):
    """A piece, whose id is the message, can never be placed."""


@dataclass(frozen=True)
class Piece:
    """A unit of work: it needs the pieces in ``needs``, and reserves ``slot`` (resource -> amount) ``devices`` times."""

    id: str
    needs: frozenset[str]
    slot: Mapping[str, float] = field(default_factory=dict)
    devices: int = 1


def makespan(
    pieces: Sequence[Piece],
    seconds: Mapping[str, float],
    nodes: Sequence[Mapping[str, float]],
    concurrency: int | None = None,
) -> float:
    """Seconds until all pieces have ended, each placed as soon as it is ready and has room.

    Args:
        pieces: in the order in which ready ones are placed
        seconds: id of a piece -> its duration
        nodes: the resources of each node; a resource that a node does not name, or that is infinite, does not limit
        concurrency: pieces at once; None: as many as fit

    Raises:
        NoRoom: a piece has no room on these nodes even when nothing else runs, or its needs are not among the pieces.
    """
    free = [dict(node) for node in nodes]
    waiting = {piece.id: len(piece.needs) for piece in pieces}
    order = {piece.id: number for number, piece in enumerate(pieces)}
    later: dict[str, list[int]] = {}
    for piece in pieces:
        for need in piece.needs:
            later.setdefault(need, []).append(order[piece.id])
    ready = [number for number, piece in enumerate(pieces) if not piece.needs]
    running: list[tuple[float, int, list[int]]] = []  # end, number, nodes of its slots
    now = 0.0
    ended = 0
    while ended < len(pieces):
        aside: list[int] = []
        while ready and len(aside) < PENDING and (concurrency is None or len(running) < concurrency):
            number = heapq.heappop(ready)
            piece = pieces[number]
            places = place(piece, free)
            if places is None:
                aside.append(number)
            else:
                heapq.heappush(running, (now + seconds[piece.id], number, places))
        for number in aside:
            heapq.heappush(ready, number)
        if not running:
            raise NoRoom(pieces[min(ready)].id if ready else "what the pieces need")
        now = running[0][0]
        while running and running[0][0] == now:
            _, number, places = heapq.heappop(running)
            _release(pieces[number], places, free)
            ended += 1
            for follower in later.get(pieces[number].id, ()):
                waiting[pieces[follower].id] -= 1
                if not waiting[pieces[follower].id]:
                    heapq.heappush(ready, follower)
    return now


def place(piece: Piece, free: list[dict[str, float]]) -> list[int] | None:
    """The nodes of a piece's slots, taken from what is free; None if there is no room for all of them."""
    places: list[int] = []
    for _ in range(piece.devices):
        node = next((number for number, have in enumerate(free) if _fits(piece.slot, have)), None)
        if node is None:
            _release(piece, places, free)
            return None
        _take(piece.slot, free[node], 1.0)
        places.append(node)
    return places


def _release(piece: Piece, places: Sequence[int], free: list[dict[str, float]]) -> None:
    for node in places:
        _take(piece.slot, free[node], -1.0)


def _fits(slot: Mapping[str, float], have: Mapping[str, float]) -> bool:
    return all(have[name] >= amount - 1e-9 for name, amount in slot.items() if name in have)


def _take(slot: Mapping[str, float], have: dict[str, float], sign: float) -> None:
    for name, amount in slot.items():
        if name in have:
            have[name] -= sign * amount

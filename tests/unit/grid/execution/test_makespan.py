"""The simulation of a cluster: equal to schedules worked out by hand, and to a naive simulation in steps of one second."""

from __future__ import annotations

import random

import pytest

from grid.execution.makespan import NoRoom, Piece, makespan

ONE_CPU = [{"CPU": 1.0}]


def piece(id: str, *needs: str, devices: int = 1, **slot: float) -> Piece:
    return Piece(id, frozenset(needs), slot or {"CPU": 1.0}, devices)


def test_one_slot_takes_the_sum_and_many_take_the_longest() -> None:
    pieces = [piece(str(number)) for number in range(5)]
    seconds = {str(number): float(number + 1) for number in range(5)}
    assert makespan(pieces, seconds, ONE_CPU) == 15.0
    assert makespan(pieces, seconds, [{"CPU": 5.0}]) == 5.0
    assert makespan(pieces, seconds, [{"CPU": 5.0}], concurrency=1) == 15.0
    assert makespan(pieces, seconds, [{}]) == 5.0, "a resource that no node names has no limit"
    assert makespan([], {}, ONE_CPU) == 0.0


def test_a_piece_waits_for_what_it_needs() -> None:
    pieces = [piece("detect"), piece("a", "detect"), piece("b", "detect"), piece("other")]
    seconds = {"detect": 10.0, "a": 4.0, "b": 4.0, "other": 1.0}
    assert makespan(pieces, seconds, [{"CPU": 2.0}]) == 14.0


def test_a_small_piece_fills_the_room_beside_one_that_waits_for_more() -> None:
    pieces = [piece("half", GPU=0.5), piece("whole", GPU=1.0), piece("small", GPU=0.25)]
    assert makespan(pieces, {"half": 10.0, "whole": 10.0, "small": 10.0}, [{"GPU": 1.0}]) == 20.0


def test_devices_may_lie_on_several_nodes_and_are_held_together() -> None:
    pieces = [piece("two", devices=2, GPU=1.0), piece("one", GPU=1.0)]
    assert makespan(pieces, {"two": 3.0, "one": 2.0}, [{"GPU": 1.0}, {"GPU": 1.0}]) == 5.0
    with pytest.raises(NoRoom, match="two"):
        makespan(pieces, {"two": 3.0, "one": 2.0}, [{"GPU": 1.0}])


def naive(pieces: list[Piece], seconds: dict[str, float], cpus: int) -> float:
    """Second by second: what is ready starts, in order, while a CPU is free."""
    now, running, done = 0, {}, set()
    while len(done) < len(pieces):
        for one in [id for id, end in running.items() if end == now]:
            done.add(one)
            del running[one]
        for one in pieces:
            if one.id not in done and one.id not in running and one.needs <= done and len(running) < cpus:
                running[one.id] = now + int(seconds[one.id])
        now += len(done) < len(pieces)
    return float(now)


@pytest.mark.parametrize("seed", range(5))
def test_random_graphs_take_as_long_as_in_a_naive_simulation(seed: int) -> None:
    rng = random.Random(seed)
    pieces = [piece(str(n), *(str(m) for m in range(n) if rng.random() < 0.1)) for n in range(30)]
    seconds = {one.id: float(rng.randint(1, 20)) for one in pieces}
    for cpus in (1, 3, 40):
        assert makespan(pieces, seconds, [{"CPU": float(cpus)}]) == naive(pieces, seconds, cpus)

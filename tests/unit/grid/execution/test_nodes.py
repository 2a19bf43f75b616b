"""Names of nodes, and the measurement of their clocks; calls on real nodes are in tests/cluster/test_preflight.py."""

from __future__ import annotations

import time

from grid.execution.nodes import clock_offset, node_names


def test_nodes_are_named_by_host_and_by_id_where_hosts_repeat() -> None:
    rows = [("a", "11112222"), ("b", "33334444"), ("b", "55556666"), ("driver", "77778888")]
    nodes = [{"NodeManagerHostname": host, "NodeID": id} for host, id in rows]
    assert node_names(nodes) == ["a", "b-333344", "b-555566", "driver-777788"]


def test_the_offset_of_a_clock_is_within_the_stated_uncertainty() -> None:
    for ahead in (0.0, 12.5, -3600.0):

        def ask(ahead: float = ahead) -> float:
            time.sleep(0.06)  # the way there takes longer
            found = time.time() + ahead
            time.sleep(0.01)  # than the way back
            return found

        offset, half = clock_offset(ask)
        assert abs(offset - ahead) <= half
        assert half > 0.03


def test_the_fastest_of_several_measurements_counts() -> None:
    delays = iter([0.3, 0.0, 0.3])

    def ask() -> float:
        found = time.time()
        time.sleep(next(delays))
        return found

    assert clock_offset(ask)[1] < 0.1

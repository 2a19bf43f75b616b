from collections.abc import Iterator
from typing import Any

import pytest
from ray_nodes import Cluster, Nodes


@pytest.fixture(scope="module")
def head() -> Iterator[Cluster]:
    """The head that the tests of a file share."""
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch, head: Cluster) -> Iterator[Any]:
    """``nodes()``: nodes of the shared head, removed after the test; ``more`` is their environment."""
    made: list[Nodes] = []

    def make(**more: str) -> Nodes:
        made.append(Nodes(monkeypatch, head, **more))
        return made[0]

    yield make
    for each in made:
        each.close()

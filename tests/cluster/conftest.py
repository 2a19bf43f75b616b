from collections.abc import Iterator
from typing import Any

import pytest
from ray_nodes import Nodes


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """``nodes()``: a Ray cluster of several nodes on this machine, closed after the test; ``more`` is its environment."""
    made: list[Nodes] = []

    def make(**more: str) -> Nodes:
        made.append(Nodes(monkeypatch, **more))
        return made[0]

    yield make
    for cluster in made:
        cluster.close()

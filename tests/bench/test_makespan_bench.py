"""Sixty cells that sleep, of mixed length, on a real Ray cluster: a head and two nodes with two GPUs each, which only Ray's
scheduler believes in. They take little longer than the work divided among the GPUs, and no GPU has two cells at once.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from launching import cells, facegrid, grid
from ray_nodes import Nodes

pytestmark = pytest.mark.timeout(900)
CELLS, NODES, GPUS = 60, 2, 2
SHORTEST, LONGEST = 0.5, 4.0  # seconds
BAR = 1.15


def sleeping(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"], tree["protocols"]
    dice = random.Random(0)
    lengths = [round(dice.uniform(SHORTEST, LONGEST), 2) for _ in range(CELLS)]
    sleeps = [{"name": "components.idle", "number": number, "seconds": one} for number, one in enumerate(lengths)]
    tree["axes"] = {"length": {str(one["number"]): {"augmentation": one} for one in sleeps}}
    tree["launch"] = {"resources": {"cpus": 1}}  # gpus: auto


def test_sixty_sleeping_cells_take_little_longer_than_their_lower_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = tmp_path / "spans"
    spans.mkdir()
    cluster = Nodes(monkeypatch, FACEGRID_TEST_SPANS=str(spans))
    try:
        for _ in range(NODES):
            cluster.add(num_cpus=GPUS, num_gpus=GPUS)
        facegrid(tmp_path, "launch", grid(tmp_path / "tiny.yaml", sleeping), "--address", cluster.address)
    finally:
        cluster.close()
    assert len(cells(tmp_path / "studies" / "tiny")) == CELLS
    found = [json.loads(path.read_text()) for path in spans.iterdir()]
    assert len(found) == CELLS, "each cell once"
    assert all(visible == ",".join(given) and len(given) == 1 for _, given, visible, _, _ in found), "as Ray placed it"
    places: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for node, _, visible, began, ended in found:
        places.setdefault((node, visible), []).append((began, ended))
    assert len(places) == NODES * GPUS
    for taken in places.values():
        taken.sort()
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(taken)), "one at a time"
    lengths = [ended - began for *_, began, ended in found]
    bound = max(sum(lengths) / (NODES * GPUS), max(lengths))
    took = max(one[4] for one in found) - min(one[3] for one in found)
    between = sum(after[0] - before[1] for taken in places.values() for before, after in itertools.pairwise(taken))
    print(f"\n{CELLS} cells: {took:.1f} s, {took / bound:.2f} times {bound:.1f} s; {between / CELLS:.2f} s between two cells")
    assert took <= BAR * bound

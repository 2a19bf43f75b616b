"""Real Ray with a GPU that exists for its scheduler only: a cell that runs out of memory gets a larger share of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from launching import Store, cells, facegrid, grid
from ray_nodes import Nodes

pytestmark = pytest.mark.timeout(600)
STUDY = Path("studies", "tiny")
NEEDS = {"whole": 1.0, "more": 2.0, "broken": 0.0}


def hungry(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"]
    tree["base"]["recipe"]["epochs"] = 1
    augmentations = {level: {"augmentation": {"name": "components.hungry", "needs": share}} for level, share in NEEDS.items()}
    tree["axes"] = {"appetite": augmentations}
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0.25}, "retries": 0}


@pytest.mark.slow
def test_a_cell_out_of_gpu_memory_goes_on_in_a_larger_slot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = tmp_path / "shares"
    shares.mkdir()
    nodes = Nodes(monkeypatch, FACEGRID_TEST_SHARES=str(shares))
    try:
        nodes.add(num_cpus=2, num_gpus=1)
        said = facegrid(tmp_path, "launch", grid(tmp_path / "tiny.yaml", hungry), "--address", nodes.address, code=1)
    finally:
        nodes.close()
    found = {path.name: path.read_text().split() for path in shares.iterdir()}
    assert found == {"1.0": ["0.25", "0.5", "1"], "2.0": ["0.25", "0.5", "1"], "0.0": ["0.25"]}
    store = Store(tmp_path / STUDY / "store")
    ids = {cell["levels"]["appetite"]: cell["stages"] for cell in cells(tmp_path / STUDY)}
    assert {id for _, id in store.contents()} == set(ids["whole"].values())
    assert [store.attempts()["train", ids[level]["train"]] for level in NEEDS] == [3, 3, 1]
    assert "out of GPU memory with 1 CPU, 0.25 GPU; it goes on with 1 CPU, 0.5 GPU" in said
    assert "out of GPU memory with 1 CPU, 0.5 GPU; it goes on with 1 CPU, 1 GPU" in said
    failure = store.ledger.failure("train", ids["more"]["train"])
    assert failure is not None
    assert not failure.deterministic
    assert failure.error.startswith(
        "out of GPU memory with 1 CPU, 1 GPU, recipe.batch_size 8: lower recipe.batch_size or input.size, raise "
        "recipe.accumulate, or use compute.precision: bf16-mixed (OutOfMemoryError: CUDA out of memory."
    )
    assert "\n" not in failure.error
    broken = store.ledger.failure("train", ids["broken"]["train"])
    assert broken is not None
    assert broken.deterministic

"""Batches that cannot be made are met before anything runs."""

from typing import Any

import numpy as np
import pytest

from datamodules.batches.pk import Config
from grid.cost import cost
from grid.spec import BadInput
from grid.world import World

TRIPLET: dict[str, Any] = {
    "loss": "triplet",
    "batches": {"name": "pk", "images": 2},
    "recipe": {"name": "one_cycle", "batch_size": 8},
}


@pytest.mark.parametrize(("size", "persons"), [(6, None), (4, None), (32, 7)])
def test_a_batch_that_cannot_be_cut_into_persons_is_refused(size: int, persons: int | None) -> None:
    with pytest.raises(ValueError, match="batches pk: "):
        Config(images=4).check(size, persons)
    Config(images=4).check(32, 8)


def test_every_batch_has_the_images_of_persons_together() -> None:
    labels = np.repeat(np.arange(6), 5)
    sampler = Config(images=3).build(np.arange(30), labels, 9, seed=1, rank=0, world=1)
    rows = [row for _, row in sampler]
    assert len(rows) >= 9
    for start in range(0, len(rows), 9):
        persons = labels[rows[start : start + 9]]
        assert sorted(np.unique(persons, return_counts=True)[1]) == [3, 3, 3]


def test_a_triplet_loss_without_pairs_in_a_batch_is_refused_by_the_plan(tmp_path: Any) -> None:
    from small import write

    from grid.plan import make_plan
    from grid.spec import read

    launch = {"study": str(tmp_path / "study")}
    file = write(tmp_path / "grid.yaml", {"loss": "triplet"}, axes={}, launch=launch)
    with pytest.raises(BadInput, match=r"loss triplet needs two images of an identity in every batch.*set batches"):
        make_plan(read(file))
    file = write(tmp_path / "grid.yaml", TRIPLET, axes={}, launch=launch)
    grid = read(file)
    world = World(tmp_path)
    cost(make_plan(grid, None, world), world)
    grid = read(file, ["data.persons=3"])
    with pytest.raises(BadInput, match="batches pk: 8 images with 2 of each person need 4 persons, and 3 are trained on"):
        cost(make_plan(grid, None, world), world)

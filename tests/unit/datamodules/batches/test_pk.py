"""Batches that cannot be made are met before anything runs."""

from typing import Any

import numpy as np
import pytest

from datamodules.batches.pk import PKConfig
from grid.plan.cost import cost
from grid.plan.inputs import InputResolver
from grid.spec.grid_file import BadInput

TRIPLET: dict[str, Any] = {
    "loss": "triplet",
    "batches": {"name": "pk", "images": 2},
    "recipe": {"name": "one_cycle", "batch_size": 8},
}


@pytest.mark.parametrize(("size", "subjects"), [(6, None), (4, None), (32, 7)])
def test_a_batch_that_cannot_be_cut_into_subjects_is_refused(size: int, subjects: int | None) -> None:
    with pytest.raises(ValueError, match="batches pk: "):
        PKConfig(images=4).check(size, subjects)
    PKConfig(images=4).check(32, 8)


def test_every_batch_has_the_images_of_subjects_together() -> None:
    labels = np.repeat(np.arange(6), 5)
    sampler = PKConfig(images=3).build(np.arange(30), labels, 9, seed=1)
    rows = [item[1] for item in sampler]
    assert len(rows) >= 9
    for start in range(0, len(rows), 9):
        subjects = labels[rows[start : start + 9]]
        assert sorted(np.unique(subjects, return_counts=True)[1]) == [3, 3, 3]


def test_a_triplet_loss_without_pairs_in_a_batch_is_refused_by_the_plan(tmp_path: Any) -> None:
    from small import write

    from grid.plan.plan import make_plan
    from grid.spec.grid_file import read

    launch = {"study": str(tmp_path / "study")}
    file = write(tmp_path / "grid.yaml", {"loss": "triplet"}, axes={}, launch=launch)
    with pytest.raises(BadInput, match=r"loss triplet needs two images of an identity in every batch.*set batches"):
        make_plan(read(file))
    file = write(tmp_path / "grid.yaml", TRIPLET, axes={}, launch=launch)
    grid = read(file)
    resolver = InputResolver(tmp_path)
    cost(make_plan(grid, None, resolver), resolver)
    grid = read(file, ["data.subjects=3"])
    with pytest.raises(BadInput, match="batches pk: 8 images with 2 of each subject need 4 subjects, and 3 are trained on"):
        cost(make_plan(grid, None, resolver), resolver)

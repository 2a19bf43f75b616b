"""What a plan says of its power: seeds, pairs, and what five replicates can never show."""

from dataclasses import replace

import numpy as np
import pytest

from grid.plan.inputs import InputResolver
from grid.plan.plan import make_plan, store_of
from grid.plan.power import power_lines
from modules.metrics.power import accuracy_on_pairs, between_cells

AXES = {"rate": {"low": {"recipe.lr": 0.01}, "mid": {"recipe.lr": 0.02}, "high": {"recipe.lr": 0.1}}}


def lines(make, **parts):
    grid = make(axes=AXES, **parts)
    resolver = InputResolver(store_of(grid))
    return power_lines(make_plan(grid, {}, resolver), resolver)


class GenuineAlone(InputResolver):
    """A protocol's list without impostor pairs."""

    def kept_pairs(self, protocol, cell):
        found = super().kept_pairs(protocol, cell)
        return replace(found, same=np.ones(len(found.same), bool))


def test_one_training_per_cell_says_nothing_of_seeds(make):
    assert lines(make)[0].startswith("power, other seeds: with one training per cell, no difference can be shown")


@pytest.mark.parametrize(("replicates", "never"), [(5, True), (6, False)])
def test_five_replicates_never_reach_significance_in_a_signed_rank_test(make, replicates, never):
    found = lines(make, replicates=replicates)[0]
    assert f"{replicates} replicates detect differences of two cells from {between_cells(replicates):.1f} standard" in found
    assert f"({between_cells(replicates, 0.05 / 3):.1f} if all 3 pairs of cells are tested" in found
    assert ("a signed-rank test of 5 replicates never reaches p < 0.05 (at best 0.062; it needs 6)" in found) is never


@pytest.mark.parametrize(("per_fold", "rates"), [(20, "reliable from 50 %"), (4, "are not reliable: they are too few")])
def test_pairs_of_a_protocol(make, per_fold, rates):
    protocol = {"name": "drawn", "subjects": 12, "first": 1000, "shots": 4, "pairs_per_fold": per_fold, "folds": 2}
    grid = make(axes=AXES, protocols=[protocol])
    resolver = InputResolver(store_of(grid))
    plan = make_plan(grid, {}, resolver)
    data = resolver.dataset(plan.cells[0].cell.protocols[0])
    resolver.scan(data, lambda *_: None)
    plan = make_plan(grid, {}, resolver)
    (found,) = power_lines(plan, resolver)[1:]
    pairs = 2 * per_fold
    assert f"{pairs} pairs detect differences in accuracy from {100 * accuracy_on_pairs(pairs, 0.1):.1f} points" in found
    assert rates in found
    assert len(power_lines(plan, GenuineAlone(store_of(grid)))) == 1  # no rate to divide by


def test_one_cell_has_nothing_to_compare(make):
    grid = make(axes={})
    resolver = InputResolver(store_of(grid))
    assert power_lines(make_plan(grid, {}, resolver), resolver) == []

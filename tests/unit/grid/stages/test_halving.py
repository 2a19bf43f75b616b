"""Ranks of trials, and successive halving against a naive derivation from recorded validation curves."""

import numpy as np
import pytest
from naive_halving import naive

from grid.spec.search import Search
from grid.stages.halving import ranked, value_of


def halved(curves: np.ndarray, search: Search) -> list[list[int]]:
    """The same, by the functions that the stages use."""
    alive, found = list(range(len(curves))), []
    for rung, epochs in enumerate(search.rungs):
        found.append(sorted(alive))
        values = {trial: float(curves[trial][epochs - 1]) for trial in alive}
        if rung + 1 < len(search.rungs):
            alive = ranked(values, search.metric)[: search.places(rung + 1)]
    return found


@pytest.mark.parametrize("metric", ["validation_loss", "validation_accuracy", "validation_mae_years"])
@pytest.mark.parametrize(("trials", "reduction"), [(27, 3), (16, 2), (10, 4), (5, 3)])
def test_halving_equals_a_naive_derivation(metric: str, trials: int, reduction: int) -> None:
    search = Search(trials=trials, rungs=(1, 2, 4, 8), reduction=reduction, metric=metric)
    for seed in range(20):
        curves = np.random.default_rng(seed).integers(0, 6, (trials, 8)) / 5  # many ties
        assert halved(curves, search) == naive(curves, [1, 2, 4, 8], reduction, "accuracy" not in metric)


def test_of_equal_trials_the_first_comes_first_and_diverged_ones_come_last() -> None:
    values = {3: 0.5, 1: None, 2: 0.25, 0: 0.5}
    assert ranked(values, "validation_loss") == [2, 0, 3, 1]
    assert ranked(values, "validation_accuracy_age") == [0, 3, 2, 1]


def test_a_metric_that_the_validation_lacks_is_named() -> None:
    facts = {"metrics": {"validation_loss": 0.5, "validation_accuracy": 0.25}}
    assert value_of(facts, "validation_accuracy") == 0.25
    assert value_of({**facts, "diverged": "loss is nan"}, "validation_loss") is None
    with pytest.raises(ValueError, match=r"no validation_mae_age \(known: validation_accuracy, validation_loss\)"):
        value_of(facts, "validation_mae_age")

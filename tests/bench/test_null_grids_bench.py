"""How often the tests find a difference where there is none: grids of equally good networks on the same pairs."""

import os
from functools import partial

import numpy as np
import pytest

from grid.analysis.comparisons import comparisons
from grid.analysis.effects import effects
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.roc import Curve
from modules.metrics.verification import ten_fold_accuracy

GRIDS = int(os.environ.get("GRIDS", "2000"))
PEOPLE, N = 60, 600
LEVELS = [{"a": a, "b": b} for a in "xy" for b in "pq"]
AXES = {"a": ("x", "y"), "b": ("p", "q")}


def null_grid(rng):
    """Scores of four networks: each pair and subject is equally hard for all, and each network has subjects of its own."""
    same = np.arange(N) % 2 == 0
    left = rng.integers(0, PEOPLE, N)
    right = np.where(same, left, (left + 1 + rng.integers(0, PEOPLE - 1, N)) % PEOPLE)
    ease = rng.normal(size=PEOPLE) * 0.5
    scores = []
    for _ in LEVELS:
        mine = ease + rng.normal(size=PEOPLE) * 0.5
        scores.append(1.5 * same + mine[left] * np.where(same, 1, 0.7) + mine[right] * np.where(same, 0, 0.7))
        scores[-1] = scores[-1] + rng.normal(size=N) * 0.6
    return np.stack(scores) + rng.normal(size=N) * 0.6, same, left, right, np.arange(N) // 2 % 10


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_the_size_of_the_tests_over_subjects():
    rng = np.random.default_rng(1)
    terms, pairs, delong, mcnemar = {}, {}, [], []
    for number in range(GRIDS):
        scores, same, left, right, folds = null_grid(rng)
        drawn = paired_bootstrap(scores, same, (left, right), folds=folds, fars=(0.1, 0.01), resamples=200, seed=number)
        curves = [Curve.of(row, same) for row in scores]
        values = {
            "best_threshold": [curve.best()[0] / N for curve in curves],
            "ten_fold": [ten_fold_accuracy(row, same, folds)["value"] for row in scores],
            "eer": [curve.eer()[0] for curve in curves],
            "auc": [curve.auc() for curve in curves],
            "val:0.1": [curve.val(0.1)[0] for curve in curves],
            "val:0.01": [curve.val(0.01)[0] for curve in curves],
        }
        about = {"scores": scores, "same": same, "folds": folds, "subjects": (left, right)}
        for key, found in values.items():
            judged = effects(LEVELS, [0] * 4, found, AXES, partial(drawn.covariance, key), drawn.units)
            terms.setdefault(key, []).extend(term.items.p < 0.05 for term in judged.terms)
            compared = comparisons(key, [[0], [1], [2], [3]], found, drawn, **about)
            pairs.setdefault(key, []).extend(pair.difference.p < 0.05 for pair in compared.pairs)
            if key == "auc":
                delong.extend(pair.check.p < 0.05 for pair in compared.pairs)
            if key == "best_threshold":
                mcnemar.extend(pair.check.p < 0.05 for pair in compared.pairs)
    for key in terms:
        print(f"{key}: effects {np.mean(terms[key]):.1%}, pairs of cells {np.mean(pairs[key]):.1%}")
        assert np.mean(terms[key]) < 0.065
        assert np.mean(pairs[key]) < 0.065
    print(f"DeLong over subjects: {np.mean(delong):.1%}; McNemar: {np.mean(mcnemar):.1%}")
    assert np.mean(delong) < 0.065

"""66 paired comparisons of 12 cells on 6,000 pairs under every metric, and intervals against those of the package cimat."""

import time

import numpy as np
import pytest

from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.comparisons import comparisons
from grid.analysis.observations import Items
from modules.metrics.pair_rates import PairRate
from modules.metrics.pair_values import pair_value
from modules.metrics.paired_bootstrap import paired_bootstrap
from modules.metrics.subject_bootstrap import subject_bootstrap

PAIRS, CELLS = 6000, 12


def scored(cells, subjects, seed=0):
    """Scores of a list in the form of LFW's View 2; subjects differ in ease."""
    rng = np.random.default_rng(seed)
    same, folds = np.arange(PAIRS) // 300 % 2 == 0, np.arange(PAIRS) // 600
    left = rng.integers(0, subjects, PAIRS)
    right = np.where(same, left, (left + 1 + rng.integers(0, subjects - 1, PAIRS)) % subjects)
    ease = rng.normal(size=subjects) * 0.5
    scores = 2.5 * same + ease[left] + ease[right] + rng.normal(size=(cells, PAIRS))
    return scores, same, folds, left, right


@pytest.mark.bench
def test_66_comparisons_under_all_metrics():
    scores, same, folds, left, right = scored(CELLS, 1700)
    wall, cpu = time.perf_counter(), time.process_time()
    drawn = paired_bootstrap(scores, same, (left, right), folds=folds, fars=(0.1, 0.01, 0.001), resamples=1000)
    for key in drawn.drawn:
        values = [pair_value(key, row, same, folds) for row in scores]
        items = Items(scores, same, folds, (left, right))
        found = comparisons(CellContrasts(key, [[n] for n in range(CELLS)], np.array(values), drawn), items)
        assert len(found.pairs) == 66
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(
        f"\n66 comparisons, {len(drawn.drawn)} metrics, {PAIRS} pairs, 1,000 resamples: {wall:.1f} s, {cpu:.1f} s of processor"
    )
    assert cpu < 20


@pytest.mark.bench
def test_intervals_against_cimat():
    package = pytest.importorskip("cimat", reason="cimat is not installed: pip install --no-deps cimat")
    (scores,), same, _, left, right = scored(1, 120)
    threshold = float(np.quantile(scores[~same], 0.95))
    nested: dict[int, dict[int, list[float]]] = {int(one): {} for one in np.unique([left, right])}
    for a, b, score in zip(left.tolist(), right.tolist(), scores.tolist(), strict=True):
        nested[a].setdefault(b, []).append(score)
    theirs = package.uncertainty_estimator.UncertaintyEstimator(nested)

    def rates():
        """(FNMR, FMR) with their intervals, from counts per subject."""
        kinds = ((same, scores <= threshold), (~same, scores > threshold))
        return [PairRate.of(wrong[kind], left[kind], right[kind]).interval for kind, wrong in kinds]

    def plug_in():
        theirs.compute_binerror_metrics(threshold)
        return theirs.get_binerror_ci(threshold=threshold)

    own, peer = [], []
    for _ in range(6):  # in turns; the first is a warm-up
        for call, seconds in ((rates, own), (plug_in, peer)):
            start = time.process_time()
            call()
            seconds.append(time.process_time() - start)
    ratio = float(np.median(peer[1:]) / np.median(own[1:]))
    print(f"\nFNMR, FMR: {rates()}, cimat {plug_in()}; {np.median(own[1:]) * 1e3:.1f} ms, {ratio:.0f}x")
    assert np.allclose(rates(), plug_in(), rtol=0.1)
    assert ratio > 50 / 2
    start = time.process_time()
    theirs.run_bootstrap(B=200)
    _, auc = theirs.get_roc_ci(target_fpr=[0.1])
    peer = time.process_time() - start
    start = time.process_time()
    found = subject_bootstrap(scores, same, left, right, fars=(0.1,), resamples=200)
    own = time.process_time() - start
    assert np.allclose(found.auc, auc, atol=0.01)
    print(f"AUC: {found.auc}, cimat {auc.tolist()}; 200 resamples {own * 1e3:.0f} ms, {peer / own:.0f}x")

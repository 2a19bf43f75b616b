"""How often 95 % intervals hold the true rate where subjects differ, down to rates at which most lists have no error.

RUNS=2000 python -m pytest -s tests/bench/test_rate_coverage_bench.py
"""

import os

import numpy as np
import pytest
from scipy.stats import binom, norm

from modules.metrics.auc_interval import auc_interval
from modules.metrics.intervals import mid_p
from modules.metrics.pair_rates import PairRate
from modules.metrics.subject_bootstrap import subject_bootstrap

RUNS = int(os.environ.get("RUNS", "2000"))
SUBJECTS = (50, 200, 2000)
RATES = (1e-1, 1e-2, 1e-3, 1e-4)
EFFECT = 0.5  # standard deviation of a subject, where that of a pair is 1
PAIRS = {"genuine": 5, "impostor": 20}  # per subject


def decided(rng, kind, subjects, rate):
    """Errors and subjects of one list: a pair is wrong if its subjects' effects and its own exceed a threshold."""
    n = PAIRS[kind] * subjects
    left = np.repeat(np.arange(subjects), PAIRS[kind])
    right = left if kind == "genuine" else (left + rng.integers(1, subjects, n)) % subjects
    effect = rng.normal(0, EFFECT, subjects)
    subject = effect[left] if kind == "genuine" else effect[left] + effect[right]
    spread = (1 + (1 if kind == "genuine" else 2) * EFFECT**2) ** 0.5
    return subject + rng.normal(size=n) > spread * norm.isf(rate), left, right


def covered(kind, subjects, rate, runs, seed=0):
    """(share of intervals that hold the rate, mean width, share of lists without errors, smallest width)."""
    rng = np.random.default_rng([seed, subjects, int(1 / rate), kind == "genuine"])
    rows = []
    for _ in range(runs):
        found = PairRate.of(*decided(rng, kind, subjects, rate))
        low, high = found.interval
        rows.append((low <= rate <= high, high - low, found.errors == 0, low > rate))
    table = np.array(rows, float)
    return (*table.mean(axis=0), table[:, 1].min())


def exact(pairs, rate):
    """The share of exact intervals with mid-P that hold the rate of as many independent pairs.

    It is not 95 % where few errors are expected, because the number of errors is an integer.
    """
    counts = np.arange(int(pairs * rate + 10 * (pairs * rate) ** 0.5) + 20)
    ends = [mid_p(float(count), float(pairs)) for count in counts]
    return sum(binom.pmf(count, pairs, rate) for count, (low, high) in zip(counts, ends, strict=True) if low <= rate <= high)


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_intervals_of_rates_hold_the_rate_and_have_a_width():
    for kind in PAIRS:
        for subjects in SUBJECTS:
            for rate in RATES:
                share, width, empty, above, least = covered(kind, subjects, rate, RUNS)
                print(
                    f"{kind} {subjects} subjects, {rate:g}: {share:.1%} (above {above:.1%}), width {width:.2g}, "
                    f"no errors {empty:.0%}; independent pairs {exact(PAIRS[kind] * subjects, rate):.1%}"
                )
                assert least > 0
                assert share > 0.925


def scored(rng, subjects, eer):
    """Scores of a list with this equal error rate: normal, with effects of the subjects; genuine ones are shifted."""
    n = 2 * subjects * 5
    same = np.arange(n) % 2 == 0
    left = rng.integers(0, subjects, n)
    right = np.where(same, left, (left + rng.integers(1, subjects, n)) % subjects)
    effect = rng.normal(0, EFFECT, subjects)
    spread = (1 + 2 * EFFECT**2) ** 0.5
    own = np.where(same, 2**0.5 * effect[left], effect[left] + effect[right])  # the same variance for both kinds
    return own + rng.normal(size=n) + same * 2 * spread * norm.isf(eer), same, left, right


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_intervals_of_metrics_hold_the_true_metric():
    spread = (1 + 2 * EFFECT**2) ** 0.5
    for subjects in (50, 200, 1000):
        for eer in (0.1, 0.01, 0.001):
            shift = 2 * norm.isf(eer)  # of scores with variance 1
            truth = {"eer": eer, "auc": norm.cdf(shift / 2**0.5), "val": norm.sf(norm.isf(0.1) - shift)}
            rng, held, least = np.random.default_rng([1, subjects, int(1 / eer)]), {key: [] for key in truth}, 1.0
            for seed in range(RUNS):
                scores, same, left, right = scored(rng, subjects, eer)
                low, high = auc_interval(scores / spread, same, left, right)
                held["auc"].append(low <= truth["auc"] <= high)
                least = min(least, high - low)
                if seed % 5:  # resamples take long
                    continue
                found = subject_bootstrap(scores / spread, same, left, right, fars=(0.1,), resamples=200, seed=seed)
                for key, ends in (("eer", found.eer), ("val", found.val[0.1])):
                    held[key].append(ends[0] <= truth[key] <= ends[1])
                    least = min(least, ends[1] - ends[0])
            print(f"{subjects} subjects, EER {eer:g}:", ", ".join(f"{key} {np.mean(found):.1%}" for key, found in held.items()))
            assert least > 0
            assert min(np.mean(found) for found in held.values()) > 0.91

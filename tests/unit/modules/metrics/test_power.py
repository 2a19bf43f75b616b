"""What replicates and pairs can detect: against statsmodels, scipy and simulation."""

import numpy as np
import pytest
from scipy.stats import ttest_ind, wilcoxon
from statsmodels.stats.power import TTestIndPower

from modules.metrics.power import (
    accuracy_on_pairs,
    between_cells,
    between_levels,
    detectable,
    signed_rank_least,
    signed_rank_needed,
)


@pytest.mark.parametrize("replicates", [3, 5, 8])
def test_the_signed_rank_test_cannot_go_below_its_smallest_p(replicates):
    values = np.arange(1.0, replicates + 1)
    assert signed_rank_least(replicates) == pytest.approx(wilcoxon(values, mode="exact").pvalue)
    assert signed_rank_needed() == 6  # five seeds never reach p < 0.05
    assert signed_rank_least(5) > 0.05 > signed_rank_least(6)


@pytest.mark.parametrize("replicates", [2, 5, 20])
@pytest.mark.parametrize("level", [0.05, 0.05 / 66])
def test_two_cells_are_those_of_statsmodels(replicates, level):
    found = between_cells(replicates, level)
    power = TTestIndPower().power(found, replicates, level)
    assert power == pytest.approx(0.8, abs=0.005)


def test_simulated_studies_find_it_in_80_percent():
    rng, found = np.random.default_rng(0), between_cells(5)
    one, other = rng.normal(size=(2, 5, 4000))
    assert np.mean(ttest_ind(one + found, other).pvalue < 0.05) == pytest.approx(0.8, abs=0.02)


def test_more_cells_of_a_level_detect_less():
    assert between_levels(3, 12, 4) < between_cells(3)
    assert between_levels(3, 12, 4) == pytest.approx(detectable(2 / 12, 22))
    assert between_cells(1) is None
    assert between_levels(1, 12, 4) is None


def test_accuracies_on_the_same_pairs():
    """Simulated McNemar statistics at the detectable difference."""
    pairs, share = 3000, 0.1
    found = accuracy_on_pairs(pairs, share)
    rng = np.random.default_rng(1)
    only = rng.multinomial(pairs, [(share + found) / 2, (share - found) / 2, 1 - share], size=4000)
    z = (only[:, 0] - only[:, 1]) / np.sqrt(only[:, 0] + only[:, 1])
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.03)

"""Operating characteristics of the test of a human study: 2,000 simulated studies each."""

import numpy as np

from grid.human_study.power import found_share
from grid.human_study.raters import Raters

STUDIES = 2000


def test_a_benefit_of_8_points_is_found_and_the_null_is_rejected_in_5_percent() -> None:
    """Three groups of 30 people, 200 pairs, as in Zhong and Deng (ICPR 2018)."""
    power = found_share(Raters(), 200, 3, 30, 0.08, STUDIES, np.random.default_rng(0))
    null = found_share(Raters(), 200, 3, 30, 0.0, STUDIES, np.random.default_rng(1))
    print(f"\n8 points, 30 per group: found in {100 * power:.2f} %; no benefit: {100 * null:.2f} % false positives")
    assert power >= 0.95
    assert 0.04 <= null <= 0.06

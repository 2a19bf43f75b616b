import numpy as np
import pytest
from scipy.stats import f, ncf

from grid.human_study.power import found_share, power_lines, power_table
from grid.human_study.raters import Raters


def test_the_effect_of_the_paper_is_found_and_the_null_is_rejected_as_often_as_it_should() -> None:
    """The short form of tests/bench/test_human_study_bench.py."""
    generator = np.random.default_rng(0)
    assert found_share(Raters(), 200, 3, 30, 0.08, 40, generator) >= 0.95
    null = found_share(Raters(), 60, 3, 8, 0.0, 600, generator)
    assert 0.05 - 3 * 0.0089 < null < 0.05 + 3 * 0.0089  # three standard errors of 600 simulations


def test_the_power_is_that_of_the_noncentral_f_distribution() -> None:
    """The variance of a gain: both passes' binomial variance, without difficulty, and the spread of the true gains."""
    people = Raters(accuracy=0.75, spread=0.0, difficulty=0.0, gain_spread=0.03)
    pairs, size, gain = 100, 12, 0.05
    variance = 0.03**2 + 0.75 * 0.25 / pairs + 0.77 * 0.23 / pairs
    shift = size * (gain**2) * (2 / 3) / variance
    degrees = (2, 3 * size - 3)
    wanted = ncf.sf(f.ppf(0.95, *degrees), *degrees, shift)
    seen = found_share(people, pairs, 3, size, gain, 500, np.random.default_rng(1))
    assert seen == pytest.approx(wanted, abs=0.07)
    assert 0.3 < wanted < 0.9


def test_the_table_has_a_row_per_benefit_and_a_column_per_size() -> None:
    table = power_table(Raters(accuracy=0.65), 20, 2, 10, 0, benefits=(0.0, 0.25), sizes=(3, 8))
    assert [row["benefit"] for row in table["power"]] == [0.0, 0.25]
    assert table["power"][1]["8"] > table["power"][0]["8"]
    lines = power_lines(table)
    assert len(lines) == 4
    assert "3 per group" in lines[1]
    assert f"{100 * table['power'][1]['8']:.1f} %" in lines[3]


def test_the_table_says_what_people_can_gain_at_most() -> None:
    lines = power_lines(power_table(Raters(accuracy=0.95), 20, 2, 1, 0, benefits=(0.0, 0.08), sizes=(3,)))
    true = 100 * Raters(accuracy=0.95).benefit(0.08)
    assert true < 6
    assert lines[2].split()[0] == "0"
    assert lines[3].startswith(f"  {true:.1f}, not 8".rjust(16))
    assert lines[4] == "no participant's true accuracy is above 99.5 %; people who are nearly perfect gain less"

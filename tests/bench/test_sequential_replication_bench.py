"""How often sequential replication claims a difference that is none, and how many trainings it saves."""

import itertools
import os

import numpy as np
import pytest

from modules.metrics.sequential_replication import replicated

GRIDS = int(os.environ.get("GRIDS", "2000"))
LOOKS = tuple(range(3, 9))
NEVER = 1e-9  # width of an interval that is narrow enough: never


def run(means, looks=LOOKS, width=NEVER, spreads=1.0, seed=1):
    """(share of grids with a false claim, power, trainings per cell, share of grids whose intervals all hold the truth)."""
    means = np.asarray(means, float)
    pairs = tuple(itertools.combinations(range(len(means)), 2))
    rng = np.random.default_rng(seed)
    false, true, count, held = [], [], [], []
    for _ in range(GRIDS):
        values = rng.normal(size=(len(means), looks[-1])) * np.reshape(spreads, (-1, 1)) + means[:, None]
        found = replicated(values.tolist(), pairs, looks, width)
        truth = [means[one] - means[other] for one, other in pairs]
        claims = [one.state == "differs" for one in found.contrasts]
        false.append(any(claim for claim, difference in zip(claims, truth, strict=True) if not difference))
        true += [claim for claim, difference in zip(claims, truth, strict=True) if difference]
        count.append(np.mean(found.counts))
        held.append(all(one.low <= difference <= one.high for one, difference in zip(found.contrasts, truth, strict=True)))
    return np.mean(false), np.mean(true) if true else None, np.mean(count), np.mean(held)


def fixed_for(means, power, most=LOOKS[-1]):
    """(replicates, as a fraction, of the fixed design with that power; power of the one with the most replicates)."""
    counts = list(range(2, most + 1))
    powers = [run(means, looks=(number,))[1] for number in counts]
    place = next((number for number, one in enumerate(powers) if one >= power), len(powers) - 1)
    part = slice(max(place - 1, 0), place + 1)
    return float(np.interp(power, powers[part], counts[part])), powers[-1]


@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("cells", [2, 4, 6])
def test_false_claims_under_optional_stopping(cells):
    false, _, count, held = run([0.0] * cells)
    print(f"\n{cells} equal cells: a false claim in {false:.1%}; {count:.2f} replicates; all intervals hold in {held:.1%}")
    assert 0.04 <= false <= 0.06


@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("spreads", [[1, 3], [1, 1, 3, 3], [1, 1, 1, 3], [1, 3, 3, 3], [1, 1.5, 2, 3], [1, 1, 1, 1, 3, 3]])
def test_false_claims_where_seeds_scatter_unequally(spreads):
    false = run([0.0] * len(spreads), spreads=spreads)[0]
    print(f"\nequal cells with standard deviations between seeds of {spreads}: a false claim in {false:.1%}")
    assert false <= 0.065


@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("means", "most", "least"),
    [
        ((0, 2), 8, 0.15),
        ((0, 2.5), 8, 0.3),
        ((0, 3), 8, 0.3),
        ((0, 3, 6), 8, 0.3),
        ((0, 3, 6, 9), 8, 0.25),
        ((0, 1.4), 16, 0.3),
        ((0, 2, 4), 16, 0.3),
    ],
)
def test_trainings_saved_at_equal_power(means, most, least):
    _, power, count, _ = run(means, looks=tuple(range(LOOKS[0], most + 1)))
    equal, at_most = fixed_for(means, power, most)
    saved = 1 - count / equal
    print(
        f"\nmeans {means}: power {power:.1%} ({at_most:.1%} with {most} replicates of each cell); {count:.2f} replicates "
        f"per cell, {equal:.2f} in a fixed one of equal power: {saved:.0%} saved ({1 - count / most:.0%} of {most})"
    )
    assert saved >= least


@pytest.mark.bench
@pytest.mark.timeout(7200)
def test_a_grid_in_which_one_factor_matters_and_narrow_intervals_close_the_rest():
    """2 x 2 cells: a factor of 4 standard deviations, and one without effect; half-widths of 2 standard deviations do."""
    means = (0.0, 0.0, 4.0, 4.0)
    false, power, count, held = run(means, width=2.0)
    equal, _ = fixed_for(means, power)
    print(
        f"\n2 x 2: power {power:.1%}, a false claim in {false:.1%}, {count:.2f} replicates, {equal:.2f} fixed; held {held:.1%}"
    )
    assert held >= 0.935
    assert false <= 0.06

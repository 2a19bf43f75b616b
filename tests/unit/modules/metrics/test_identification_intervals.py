"""Intervals of identification against a bootstrap that repeats the drawn subjects' probes and searches again."""

import numpy as np
import pytest

from modules.metrics.identification import Search, cmc, dir_at_far, search
from modules.metrics.identification_intervals import _shares, identification_intervals
from modules.metrics.intervals import effective, wilson
from modules.metrics.subject_bootstrap import times_drawn

RANKS, FARS = (1, 2), (0.5, 0.2, 0.03)


def drawn(seed=0, subjects=12, shots=3, whole=False):
    """Two galleries of half of the subjects each, and the probes of all of them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(subjects, 4))
    who = rng.permutation(np.repeat(np.arange(subjects), shots))
    probes = centers[who] + 0.8 * rng.normal(size=(len(who), 4))
    if whole:
        centers, probes = centers.round(), probes.round()  # ties
    halves = np.arange(subjects // 2), np.arange(subjects // 2, subjects)
    return [search(centers[half], half, probes, who) for half in halves], who


def repeated(one, rows):
    return Search(*(getattr(one, name)[rows] for name in ("mated", "top", "mate", "above", "tied")))


@pytest.mark.parametrize("whole", [False, True])
def test_a_resample_is_a_search_with_the_probes_of_the_drawn_subjects(whole):
    found, who = drawn(1, whole=whole)
    times = times_drawn(np.random.default_rng(3), 12, 30)
    shares = _shares(found, times[:, who], RANKS, FARS)
    for row, counts in enumerate(times):
        parts = [repeated(one, np.repeat(np.arange(len(who)), counts[who])) for one in found]
        if any(part.mated.all() or not part.mated.any() for part in parts):
            continue
        for rank in RANKS:
            assert shares["cmc", rank][row] == pytest.approx(np.mean([cmc(part, [rank])[rank] for part in parts]), abs=1e-12)
        for far in FARS:
            assert shares["dir", far][row] == pytest.approx(np.mean([dir_at_far(part, far)[0] for part in parts]), abs=1e-12)


def test_the_interval_is_that_of_the_variance_over_subjects():
    found, who = drawn(2)
    ends = identification_intervals(found, who, RANKS, FARS, resamples=400, seed=5)
    assert (ends.subjects, ends.resamples) == (12, 400)
    shares = _shares(found, times_drawn(np.random.default_rng(5), 12, 400)[:, who], RANKS, FARS)
    value = np.mean([cmc(one, [1])[1] for one in found])
    assert 0 < value < 1
    variance = shares["cmc", 1][np.isfinite(shares["cmc", 1])].var(ddof=1)
    assert ends.cmc[1] == pytest.approx(effective(value, variance, 12, len(who)), abs=1e-12)
    for far, (low, high) in ends.dir.items():
        assert low <= np.mean([dir_at_far(one, far)[0] for one in found]) <= high


def test_probes_that_fail_together_have_wider_intervals_than_independent_ones():
    """200 subjects whose 9 probes are all hits or all misses are 200 trials, not 1,800."""
    rng = np.random.default_rng(0)
    hit, who = np.repeat(rng.random(200) < 0.8, 9), np.repeat(np.arange(200), 9)
    one = Search(
        np.ones(1800, bool), np.ones(1800, np.float32), np.ones(1800, np.float32), (~hit).astype(int), np.zeros(1800, int)
    )
    low, high = identification_intervals([one], who, [1], []).cmc[1]
    assert (low, high) == pytest.approx(wilson(hit.sum() / 9, 200), abs=0.01)
    alone = identification_intervals([one], np.arange(1800), [1], []).cmc[1]
    assert alone == pytest.approx(wilson(hit.sum(), 1800), abs=0.003)
    assert high - low > 2.5 * (alone[1] - alone[0])


def test_no_error_leaves_the_width_of_as_many_trials_as_subjects():
    one = Search(np.ones(90, bool), np.ones(90, np.float32), np.ones(90, np.float32), np.zeros(90, int), np.zeros(90, int))
    assert identification_intervals([one], np.arange(90) // 3, [1], []).cmc[1] == wilson(30, 30)


def test_subjects_outside_of_the_galleries_are_no_evidence_of_a_rank():
    """All mated probes are found: of three subjects, or in a second gallery of 40 others; 500 subjects are in neither."""
    who = np.arange(543)
    first, second = who < 3, (who >= 3) & (who < 43)
    one, other = (Search(mated, mated * 0.9, mated * 0.9, np.zeros(543, int), np.zeros(543, int)) for mated in (first, second))
    for galleries, units in (([one], 3), ([one, one], 3), ([other], 40), ([one, other], 6)):
        ends = identification_intervals(galleries, who, [1], [0.1], resamples=50)
        assert ends.cmc[1] == ends.dir[0.1] == wilson(units, units)
        assert ends.subjects == 543


def test_one_subject_has_no_interval():
    found, who = drawn(0)
    with pytest.raises(ValueError, match="mated probes are of 1 and non-mated ones of 11 subjects"):
        identification_intervals(
            [Search(who == 0, *(getattr(found[0], n) for n in ("top", "mate", "above", "tied")))], who, [1], []
        )


def test_intervals_over_subjects_hold_the_mean_of_other_sets_and_those_over_probes_do_not():
    """300 sets of 80 subjects with 6 probes each, some subjects harder than others; the set's galleries are new, too."""
    rng, rows = np.random.default_rng(0), []
    for _ in range(300):
        centers, hard, who = rng.normal(size=(80, 8)), rng.gamma(2, 0.5, size=(80, 1)), np.repeat(np.arange(80), 6)
        gallery = centers + 0.5 * hard * rng.normal(size=centers.shape)
        probes = centers[who] + hard[who] * rng.normal(size=(480, 8))
        gallery, probes = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (gallery, probes))
        found = [search(gallery[half], half, probes, who) for half in (np.arange(40), np.arange(40, 80))]
        ends = identification_intervals(found, who, [1], [0.1], resamples=200)
        values = np.mean([cmc(one, [1])[1] for one in found]), np.mean([dir_at_far(one, 0.1)[0] for one in found])
        rows.append(
            [[value, *own, *wilson(480 * value, 480)] for value, own in zip(values, (ends.cmc[1], ends.dir[0.1]), strict=True)]
        )
    for name, one in zip(("rank 1", "DIR at 10 %"), np.array(rows).transpose(1, 2, 0), strict=True):
        truth = one[0].mean()
        over_subjects, over_probes = (np.mean((low <= truth) & (truth <= high)) for low, high in (one[1:3], one[3:5]))
        print(f"{name} {truth:.3f}: over subjects {100 * over_subjects:.1f} %, Wilson over probes {100 * over_probes:.1f} %")
        assert 0.92 <= over_subjects <= 0.98
        assert over_probes < 0.8

"""Operating points: thresholds from other subjects, failures inside and outside of the rates, and what too few pairs can
show."""

import numpy as np
import pytest

from modules.metrics.operating_points import failure_to_enroll, operating_points, support, threshold_for


def pairs(seed=0, subjects=60, n=3000, effect=0.5):
    rng = np.random.default_rng(seed)
    same = np.arange(n) % 2 == 0
    left = rng.integers(0, subjects, n)
    right = np.where(same, left, (left + rng.integers(1, subjects, n)) % subjects)
    ease = rng.normal(size=subjects) * effect
    return 2.5 * same + ease[left] + ease[right] + rng.normal(size=n), same, left, right


def test_each_pair_is_decided_at_a_threshold_of_other_subjects():
    """The naive form: for every pair, the impostor pairs without a subject of its groups."""
    scores, same, left, right = pairs(n=400)
    found = operating_points(scores, same, left, right, (0.1,))["0.1"]
    names = np.unique(np.concatenate([left, right]))
    group = dict(zip(names, np.random.default_rng(0).permutation(np.arange(len(names)) % 5), strict=True))
    accepted = []
    for one, a, b in zip(scores, left, right, strict=True):
        others = [s for s, g, x, y in zip(scores, same, left, right, strict=True)
                  if not g and not {group[a], group[b]} & {group[x], group[y]}]  # fmt: skip
        at = [t for t in sorted(others) if np.mean(np.array(others) >= t) <= 0.1]
        accepted.append(one >= at[0])
    accepted = np.array(accepted)
    assert found["fmr"]["value"] == pytest.approx(accepted[~same].mean())
    assert found["fnmr"]["value"] == pytest.approx((~accepted)[same].mean())
    assert (found["fmr"]["errors"], found["fmr"]["n"]) == (accepted[~same].sum(), (~same).sum())
    assert found["lowest"] <= found["threshold"] <= found["highest"]


def test_a_threshold_of_the_same_pairs_would_flatter():
    """Means over 60 lists: chosen elsewhere, the FMR is about the target; few pairs at 1 % make the difference visible."""
    own, other = [], []
    for seed in range(60):
        scores, same, left, right = pairs(seed, subjects=20, n=300)
        own.append(np.mean(scores[~same] >= threshold_for(np.sort(scores[~same]), 0.02)))
        other.append(operating_points(scores, same, left, right, (0.02,))["0.02"]["fmr"]["value"])
    assert np.max(own) <= 0.02
    assert np.max(other) > 0.04
    assert np.mean(other) == pytest.approx(0.02, abs=0.01)


def test_failures_count_as_non_matches_inside_and_not_at_all_outside():
    scores, same, left, right = pairs()
    failed = np.random.default_rng(1).random(len(scores)) < 0.2
    scores[failed] = np.nan
    found = operating_points(scores, same, left, right, (0.01,), failed=failed)["0.01"]
    alone = operating_points(scores[~failed], same[~failed], left[~failed], right[~failed], (0.01,))["0.01"]
    assert found["fnmr"] == alone["fnmr"]
    assert found["fmr"] == alone["fmr"]
    genuine, lost = same.sum(), (same & failed).sum()
    assert found["fnmr_with_failures"]["value"] == pytest.approx((alone["fnmr"]["errors"] + lost) / genuine)
    assert found["fmr_with_failures"]["value"] == pytest.approx(alone["fmr"]["errors"] / (~same).sum())
    assert found["fnmr_with_failures"]["n"] == genuine


def test_a_rate_of_images_is_over_subjects():
    failed = np.array([1, 1, 0, 0, 0, 0], bool)
    found = failure_to_enroll(failed, np.array(list("aabbcc")))
    assert (found["value"], found["errors"], found["n"]) == (pytest.approx(1 / 3), 2, 6)
    single = failure_to_enroll(failed, np.array(list("abcdef")))
    assert found["high"] - found["low"] > single["high"] - single["low"]  # both of one subject
    none = failure_to_enroll(np.zeros(6, bool), np.array(list("abcdef")))
    assert none["low"] == 0 < none["high"]


@pytest.mark.parametrize(
    ("fmr", "expected"), [(0.01, "measured"), (0.0099, "few errors"), (0.001, "few errors"), (0.0009, "extrapolated")]
)
def test_too_few_impostor_pairs_are_said(fmr, expected):
    assert support(fmr, 1000) == expected


def test_full_separation_has_intervals():
    scores, same, left, right = pairs()
    found = operating_points(scores + 100 * same, same, left, right, (0.01, 1e-6))
    assert found["0.01"]["support"] == "few errors"  # 36 % of 1,500 impostor pairs
    assert found["1e-06"]["support"] == "extrapolated"
    for point in found.values():
        for rate in ("fmr", "fnmr", "fmr_with_failures", "fnmr_with_failures"):
            assert point[rate]["high"] > point[rate]["low"]


def test_the_threshold_is_the_lowest_that_accepts_no_more():
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.6])
    assert threshold_for(scores, 1 / 6) == 0.6
    assert threshold_for(scores, 2 / 6) == 0.6  # 0.4 stands twice
    assert threshold_for(scores, 3 / 6) == 0.4
    assert threshold_for(scores, 1.0) == 0.1
    assert threshold_for(scores, 0.1) == np.nextafter(0.6, 1)


def test_wrong_rates_and_too_few_subjects_are_named():
    scores, same, left, right = pairs(n=100)
    with pytest.raises(ValueError, match="a target FMR is above 0 and below 1; found 0"):
        operating_points(scores, same, left, right, (0,))
    with pytest.raises(ValueError, match="2 subjects in 5 groups"):
        operating_points(np.arange(4.0), np.array([1, 0, 1, 0], bool), np.array([0, 0, 1, 0]), np.array([0, 1, 1, 1]))

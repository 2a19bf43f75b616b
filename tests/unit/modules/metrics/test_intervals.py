import numpy as np
import pytest
from scipy.stats import beta, binom, norm
from single_numbers import auc, eer, val_at_far
from tied_scores import drawn

from modules.metrics import intervals
from modules.metrics.intervals import effective, mean_or_none, mid_p, never_empty, normal_variance, student
from modules.metrics.verification import verification


def test_wilson_equals_the_solved_inequality():
    """The bounds are the shares p with (x/n - p)^2 = z^2 p (1 - p) / n."""
    for correct, total in [(0, 10), (3, 10), (10, 10), (5900, 6000)]:
        low, high = intervals.wilson(correct, total)
        z = 1.959963984540054
        roots = np.roots([1 + z * z / total, -2 * correct / total - z * z / total, (correct / total) ** 2])
        assert (low, high) == pytest.approx(tuple(sorted(roots.real)), abs=1e-7)


def test_delong_equals_its_quadratic_form():
    scores, same, _ = drawn(60)
    x, y = scores[same], scores[~same]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    variance = psi.mean(1).var(ddof=1) / len(x) + psi.mean(0).var(ddof=1) / len(y)
    assert intervals.delong_variance(scores, same) == pytest.approx((psi.mean(), variance), rel=1e-12)


def test_delong_agrees_with_the_bootstrap():
    scores, same, _ = drawn(400, digits=2)
    rng = np.random.default_rng(3)
    x, y = scores[same], scores[~same]
    areas = []
    for _ in range(600):
        a, b = rng.choice(x, len(x)), rng.choice(y, len(y))
        areas.append(auc(np.concatenate([a, b]), np.arange(len(same)) < len(x)))
    assert np.std(areas) == pytest.approx(intervals.delong_variance(scores, same)[1] ** 0.5, rel=0.1)


def test_the_bootstrap_equals_one_that_draws_pairs():
    """The count form against metrics of really drawn pairs: percentiles agree within their own noise."""
    scores, same, folds = drawn(300, digits=2)
    found = verification(scores, same, folds, fars=(0.1,))
    rng = np.random.default_rng(3)
    x, y = scores[same], scores[~same]
    rates, vals = [], []
    for _ in range(600):
        again = np.concatenate([rng.choice(x, len(x)), rng.choice(y, len(y))])
        kinds = np.arange(len(same)) < len(x)
        rates.append(eer(again, kinds))
        vals.append(val_at_far(again, kinds, 0.1)[0])
    for name, drawn_values, entry in (("eer", rates, found["eer"]), ("val", vals, found["val"]["0.1"])):
        low, high = np.quantile(drawn_values, [0.025, 0.975])
        assert entry["low"] == pytest.approx(low, abs=0.2 * (high - low)), name
        assert entry["high"] == pytest.approx(high, abs=0.2 * (high - low)), name


def test_intervals_cover_what_they_promise():
    """Simulated experiments of a known truth: AUC of two normals one apart is 0.7602."""
    rng = np.random.default_rng(0)
    same = np.arange(200) < 100
    inside = 0
    for _ in range(300):
        low, high = intervals.delong(rng.normal(size=200) + same, same)
        inside += low <= 0.7602499 <= high
    assert 0.91 <= inside / 300 <= 0.98


@pytest.mark.parametrize(("share", "trials"), [(0.5, 40), (0.9, 100), (0.03, 300)])
def test_the_effective_number_of_trials_is_that_whose_variance_is_given(share, trials):
    """With many units: of few ones the variance is itself uncertain."""
    found = effective(share, share * (1 - share) / trials, units=10**6, most=10**6)
    assert found == pytest.approx(intervals.wilson(share * trials, trials), abs=1e-6)


def test_few_units_and_few_pairs_widen_an_interval():
    def width(units, most):
        low, high = effective(0.9, 0.0009, units, most)
        return high - low

    assert width(5, 1000) > width(20, 1000) > width(1000, 1000)
    assert width(1000, 50) > width(1000, 1000)
    low, high = effective(0.5, 1e-4, 5, 10**6)  # Student's t of 4 degrees of freedom is 2.776, the normal's 1.960
    assert (high - low) / 2 == pytest.approx(2.776 * 0.01, rel=0.02)


@pytest.mark.parametrize("units", [5, 20, 60, 500])
def test_without_an_error_the_interval_is_about_the_exact_one(units):
    """Of no error among n, exact (Clopper and Pearson) is 1 - 0.025^(1 / n), which the rule of three rounds to 3 or 4 / n."""
    exact = beta.ppf(0.975, 1, units)
    assert exact == pytest.approx(1 - 0.025 ** (1 / units))
    low, high = effective(0.0, 0.0, units, 10 * units)
    assert (low, high) == (0.0, pytest.approx(exact, rel=0.2))
    assert effective(1.0, 0.0, units, 10 * units) == (pytest.approx(1 - high), 1.0)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("variance", [0.0, 1e-30, 1e-5, 0.01])
def test_an_interval_holds_its_share_and_has_a_width(share, variance):
    low, high = effective(share, variance, 30, 300)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 0.003


def test_the_effective_interval_covers_what_it_promises():
    """60 subjects of 5 equal trials each and a share of 0.98: 300 trials, of which 60 count."""
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        subjects = rng.random(60) < 0.98
        low, high = effective(float(subjects.mean()), float(subjects.var(ddof=1) / 60), 60, 300)
        inside.append(low <= 0.98 <= high)
    assert np.mean(inside) >= 0.92
    naive = [intervals.wilson(5 * errors, 300) for errors in range(61)]
    assert sum(binom.pmf(k, 60, 0.98) for k in range(61) if naive[k][0] <= 0.98 <= naive[k][1]) < 0.8


def test_an_interval_with_a_width_stays_as_it_is():
    assert never_empty(0.2, 0.3, 0.25, 10) == (0.2, 0.3)
    assert never_empty(0.3, 0.3, 0.3, 10) == effective(0.3, 0.0, 10, 10)


@pytest.mark.parametrize("value", [1.0, 0.5, 0.0])
def test_equal_folds_have_the_interval_of_their_pairs(value):
    mean, error, low, high = student([value] * 10, 600)
    assert (mean, error) == (value, 0)
    assert (low, high) == intervals.wilson(600 * value, 600)


def test_mid_p_is_the_test_of_binomial_counts_and_the_rule_of_three():
    """Each bound is the rate at which the observed count, counted half, leaves 2.5 % beyond it."""
    for events, trials in ((1, 40), (7, 40), (39, 40)):
        low, high = mid_p(events, trials)
        assert binom.sf(events, trials, low) + binom.pmf(events, trials, low) / 2 == pytest.approx(0.025)
        assert binom.cdf(events - 1, trials, high) + binom.pmf(events, trials, high) / 2 == pytest.approx(0.025)
    assert mid_p(0, 1000) == (0.0, pytest.approx(3 / 1000, rel=0.01))
    assert mid_p(1000, 1000) == (pytest.approx(1 - 3 / 1000, rel=1e-4), 1.0)
    assert mid_p(0.5, 30)[0] < mid_p(1, 30)[0]


def test_the_variance_of_an_interval_is_that_of_the_normal_distribution():
    low, high = norm.interval(0.95, loc=np.array([0.9, 0.5]), scale=np.array([0.01, 0.2]))
    assert normal_variance(low, high) == pytest.approx([0.01**2, 0.2**2])


@pytest.mark.parametrize("most", [1.0, 2.0, 0.01])
@pytest.mark.parametrize("share", [0.0, 0.4, -0.9, 1.0])
def test_an_interval_without_width_is_in_the_unit_of_its_value(most, share):
    """What six units without a difference allow, times the largest difference."""
    value, half = share * most, most * intervals.wilson(0, 6)[1]
    low, high = mean_or_none(value, value, value, 6, share=False, most=most)
    assert (low, high) == pytest.approx((max(value - half, -most), min(value + half, most)))


def test_values_without_bounds_that_all_agree_give_no_interval():
    assert mean_or_none(13.7, 13.7, 13.7, 6, share=False, most=None) == (None, None)
    assert mean_or_none(13.6, 13.8, 13.7, 6, share=False, most=None) == (13.6, 13.8)

import numpy as np
import pytest
from scipy import stats

from grid.human_study.benefit import benefit


def people(seed: int, sizes: tuple[int, ...] = (12, 12, 12), gains: tuple[float, ...] = (0.08, 0.0, 0.02)) -> tuple:
    """(accuracy, letters): people differ from each other, as the mixed model assumes."""
    generator = np.random.default_rng(seed)
    letters = np.repeat(list("ABC")[: len(sizes)], sizes)
    own = generator.normal(0.76, 0.06, len(letters))
    accuracy = own[:, None] + generator.normal(0, 0.025, (len(letters), 2))
    accuracy[:, 1] += np.repeat(gains[: len(sizes)], sizes)
    return accuracy, letters


@pytest.mark.parametrize(("seed", "sizes"), [(0, (12, 12, 12)), (1, (20, 9, 14)), (2, (10, 16))])
def test_it_is_the_interaction_of_the_mixed_model(seed: int, sizes: tuple[int, ...]) -> None:
    """statsmodels fits accuracy ~ group * pass with a random intercept per participant, by REML."""
    import pandas as pd
    from statsmodels.formula.api import mixedlm

    accuracy, letters = people(seed, sizes)
    found = benefit(accuracy, letters, "ABC"[: len(sizes)])
    rows = [
        {"accuracy": accuracy[person, number], "letter": letters[person], "number": number, "person": person}
        for person in range(len(letters))
        for number in (0, 1)
    ]
    frame = pd.DataFrame(rows)
    fitted = mixedlm("accuracy ~ C(letter) * number", frame, groups=frame["person"]).fit(reml=True)
    assert fitted.cov_re.iloc[0, 0] > 0
    for one in found.contrasts:
        if one.first != "A":
            continue
        name = f"C(letter)[T.{one.second}]:number"
        assert -one.difference.value == pytest.approx(fitted.params[name], abs=1e-6)
        error = (one.difference.high - one.difference.low) / 2 / stats.t.ppf(0.975, found.degrees[1])
        assert error == pytest.approx(fitted.bse[name], rel=2e-3)  # the optimizer of the variance stops there
    assert found.gains["A"].value == pytest.approx(fitted.params["number"], abs=1e-6)
    names = [name for name in fitted.params.index if ":number" in name]
    effects = fitted.params[names].to_numpy()
    wald = effects @ np.linalg.solve(fitted.cov_params().loc[names, names].to_numpy(), effects)
    assert found.f == pytest.approx(wald / found.degrees[0], rel=4e-3)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_analysis_of_variance_of_the_gains(seed: int) -> None:
    accuracy, letters = people(seed, (20, 9, 14))
    found = benefit(accuracy, letters, "ABC")
    groups = [accuracy[letters == letter, 1] - accuracy[letters == letter, 0] for letter in "ABC"]
    f, p = stats.f_oneway(*groups)
    assert (found.f, found.p) == pytest.approx((f, p))
    assert found.degrees == (2, 40)


def test_two_groups_give_students_t_test_and_its_interval() -> None:
    accuracy, letters = people(5, (15, 11))
    found = benefit(accuracy, letters, "AB")
    gains = accuracy[:, 1] - accuracy[:, 0]
    test = stats.ttest_ind(gains[letters == "A"], gains[letters == "B"])
    (one,) = found.contrasts
    interval = test.confidence_interval(0.95)
    assert (one.difference.low, one.difference.high) == pytest.approx((interval.low, interval.high))
    assert one.adjusted == one.difference.p == pytest.approx(test.pvalue)
    assert found.p == pytest.approx(test.pvalue)
    assert found.f == pytest.approx(test.statistic**2)


def test_what_helps_every_group_alike_is_no_interaction() -> None:
    accuracy, letters = people(7)
    practiced = accuracy + np.array([0.0, 0.1])
    before, after = benefit(accuracy, letters, "ABC"), benefit(practiced, letters, "ABC")
    assert after.f == pytest.approx(before.f)
    assert after.gains["B"].value == pytest.approx(before.gains["B"].value + 0.1)


@pytest.mark.parametrize("gain", [0.1, 0.2])
def test_if_within_each_group_all_gain_the_same_there_is_no_test(gain: float) -> None:
    """Differences of decimal fractions in floats leave 1e-17, which is no variance."""
    first = np.array([0.7, 0.6, 0.2, 0.1, 0.5, 0.7])
    after = np.round(first + np.array([0.1] * 3 + [gain] * 3), 1)
    found = benefit(np.stack([first, after], axis=1), np.array(list("AAABBB")), "AB")
    assert (found.f, found.p) == (None, None)


def test_holm_corrects_for_all_pairs_of_groups() -> None:
    from statsmodels.stats.multitest import multipletests

    found = benefit(*people(3), "ABC")
    wanted = multipletests([one.difference.p for one in found.contrasts], method="holm")[1]
    assert [one.adjusted for one in found.contrasts] == pytest.approx(list(wanted))


def test_too_few_people_are_named_and_one_group_has_gains_only() -> None:
    accuracy, letters = people(0, (3, 1))
    with pytest.raises(ValueError, match="group B has 1"):
        benefit(accuracy, letters, "AB")
    with pytest.raises(ValueError, match="group B has 1, group C has 0"):
        benefit(accuracy, letters, "ABC")
    with pytest.raises(ValueError, match="there are no participants"):
        benefit(np.zeros((0, 2)), np.zeros(0, "<U1"), "AB")
    one = benefit(accuracy[:3], letters[:3], "A")
    assert one.f is None
    assert one.contrasts == ()
    gains = accuracy[:3, 1] - accuracy[:3, 0]
    interval = stats.ttest_1samp(gains, 0).confidence_interval()
    assert (one.gains["A"].low, one.gains["A"].high) == pytest.approx((interval.low, interval.high))
    same = benefit(np.tile([[0.7, 0.8]], (6, 1)), np.array(list("AAABBB")), "AB")
    assert same.p is None

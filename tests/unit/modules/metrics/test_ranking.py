import numpy as np
import pytest
from scipy import stats

from modules.metrics.ranking import Binary, ranks, spearman


def drawn(seed, count=60, ties=True):
    found = np.random.default_rng(seed).normal(size=count)
    return np.round(found, 1) if ties else found


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_are_shared_by_equal_values(ties):
    values = drawn(0, ties=ties)
    literal = [1 + sum(other < one for other in values) + (sum(other == one for other in values) - 1) / 2 for one in values]
    np.testing.assert_array_equal(ranks(values), literal)
    np.testing.assert_array_equal(ranks(values), stats.rankdata(values))


def test_spearman_is_that_of_scipy():
    one, other = drawn(1), drawn(2) + 0.5 * drawn(1)
    assert spearman(one, other) == pytest.approx(float(stats.spearmanr(one, other).statistic), abs=1e-14)
    assert spearman(one.reshape(6, 10), -(one.reshape(6, 10) ** 3)) == pytest.approx(-1, abs=1e-15)
    assert spearman(one, np.zeros(60)) is None


@pytest.mark.parametrize("ties", [False, True])
def test_a_binary_column_need_not_be_ranked(ties):
    columns = np.random.default_rng(3).random((60, 40)) < np.linspace(0.05, 0.95, 40)
    columns[:, 0], columns[:, 1] = False, True
    scores = drawn(4, ties=ties)
    found = Binary(columns).spearman(scores)
    for index in range(2, 40):
        order = stats.rankdata(columns[:, index])
        literal = np.corrcoef(stats.rankdata(scores), order)[0, 1]
        assert found[index] == pytest.approx(literal, abs=1e-12)
    assert found[:2].tolist() == [0, 0]
    assert not Binary(columns).spearman(np.ones(60)).any()


def test_many_rows_are_exact_too():
    columns = np.random.default_rng(5).random((5000, 3)) < 0.5
    scores = drawn(6, 5000)
    literal = [np.corrcoef(stats.rankdata(scores), column)[0, 1] for column in columns.T]
    np.testing.assert_allclose(Binary(columns).spearman(scores), literal, rtol=0, atol=1e-13)

"""All-to-all verification."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from modules.metrics.all_pairs import all_pairs

RNG = np.random.default_rng(2)
SUBJECTS = RNG.integers(0, 25, 120)
UNITS = RNG.normal(size=(120, 8)) + RNG.normal(size=(25, 8))[SUBJECTS]
UNITS /= np.linalg.norm(UNITS, axis=1, keepdims=True)


def naive() -> tuple[np.ndarray, np.ndarray]:
    """Scores and kinds of all pairs, one at a time."""
    pairs = list(combinations(range(len(UNITS)), 2))
    scores = np.array([np.float32(sum(UNITS[i, k] * UNITS[j, k] for k in range(8))) for i, j in pairs])
    return scores, np.array([SUBJECTS[i] == SUBJECTS[j] for i, j in pairs])


@pytest.mark.parametrize("rows", [1, 7, 120, 500])
def test_every_pair_is_scored_once_for_any_block(rows: int) -> None:
    scores, same = naive()
    curve = all_pairs(UNITS, SUBJECTS, rows=rows)
    np.testing.assert_allclose(curve.genuine_scores, np.sort(scores[same]), atol=1e-7)
    np.testing.assert_allclose(curve.impostor_scores, np.sort(scores[~same]), atol=1e-7)


def test_auc_and_rates_are_those_of_all_pairs() -> None:
    scores, same = naive()
    curve = all_pairs(UNITS, SUBJECTS)
    assert curve.auc() == pytest.approx(roc_auc_score(same, scores), abs=1e-12)
    for far in (0.1, 0.01, 0.001):
        limit = min(score for score in scores if (scores[~same] >= score).mean() <= far)
        assert curve.val(far)[0] == pytest.approx((scores[same] >= limit).mean(), abs=1e-12)


def test_names_may_be_subjects() -> None:
    curve = all_pairs(UNITS, np.array([f"s{who}" for who in SUBJECTS]))
    assert curve.genuine == all_pairs(UNITS, SUBJECTS).genuine


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="one subject per embedding"):
        all_pairs(UNITS, SUBJECTS[1:])
    with pytest.raises(ValueError, match="give 0 genuine pairs"):
        all_pairs(UNITS[:5], np.arange(5))
    broken = UNITS.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ValueError, match="no finite number"):
        all_pairs(broken, SUBJECTS)

"""Metrics by their keys are those of ``verification``."""

import numpy as np
import pytest

from modules.metrics.pair_values import pair_value
from modules.metrics.verification import verification


def test_values_are_those_of_the_full_evaluation():
    rng = np.random.default_rng(0)
    same, folds = rng.random(300) < 0.5, np.arange(300) % 10
    scores = np.round(same + rng.normal(size=300), 1)
    found = verification(scores, same, folds, (0.1,), resamples=2)
    for key in ("best_threshold", "ten_fold", "eer", "auc"):
        assert pair_value(key, scores, same, folds) == found[key]["value"]
    assert pair_value("val:0.1", scores, same, folds) == found["val"]["0.1"]["value"]
    with pytest.raises(ValueError, match="no metric 'accuracy' of pairs; there are"):
        pair_value("accuracy", scores, same, folds)

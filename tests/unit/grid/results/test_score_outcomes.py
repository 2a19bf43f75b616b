from types import SimpleNamespace

import numpy as np
import pytest

from grid.results.decisions import Decisions
from grid.results.explanation_scores import Scored
from grid.results.score_outcomes import split

DECIDED = Decisions("alike", 0.5, ("true accept", "false reject", "true reject", "true reject", "true accept"))


def scored(of, rows, values, **more):
    each = {"of": of, "rows": rows, "maps": {"S-": {"auc": values, "hidden": values}}}
    result = {"score": "any", "headlines": ["auc", "absent"], "each": each, **more}
    return Scored(SimpleNamespace(), "corr_rise", "any", result, "done", None, "pairs")


def test_pairs_are_split_by_their_outcome():
    (one,) = split(scored("pairs", [0, 2, 3, 4], [0.5, 0.25, 0.75, 1.0], lower_is_better=["auc"]), DECIDED)
    assert (one.title, one.number, one.lower_is_better) == ("corr_rise S-", "auc", True)
    assert {kind: (entry["value"], entry["pairs"]) for kind, entry in one.means.items()} == {
        "true accept": (0.75, 2),
        "true reject": (0.5, 2),
    }  # pair 1, the only false reject, has no score
    assert all(entry["low"] < entry["value"] < entry["high"] for entry in one.means.values())


def test_the_value_of_a_pair_is_the_mean_of_its_scored_images():
    values = np.arange(9.0) / 10
    rows = [0, 1, 2, 3, 5, 6, 7, 8, 9]  # one image of pair 2 alone
    (one,) = split(scored("images", rows, values.tolist()), DECIDED)
    assert one.means["true accept"]["value"] == pytest.approx(np.mean([0.05, 0.75]))
    assert one.means["true reject"]["value"] == pytest.approx(np.mean([0.4, 0.55]))
    assert one.means["false reject"]["value"] == pytest.approx(0.25)


def test_equal_numbers_beyond_one_have_no_interval():
    (one,) = split(scored("pairs", [0, 2, 3], [12.5, 12.5, 12.5]), DECIDED)
    assert one.means["true reject"] == {"value": 12.5, "low": None, "high": None, "pairs": 2}

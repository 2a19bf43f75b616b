from types import SimpleNamespace

import numpy as np
import pytest

from configs.lookup import known
from grid.results.decisions import Decisions
from grid.results.explanation_scores import Scored
from grid.results.score_outcomes import SHIPPED, split
from modules.metrics.intervals import mean_or_none, never_empty

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


def test_a_map_of_the_difference_should_lower_the_cosine():
    each = {"of": "pairs", "rows": [0, 1], "maps": {name: {"cosine": [0.1, 0.2]} for name in ("S+", "S-")}}
    result = {"score": "insertion", "headlines": ["cosine"], "each": each, "difference_maps": ["S-"]}
    found = split(Scored(SimpleNamespace(), "corr_rise", "insertion", result, "done", None, "pairs"), DECIDED)
    assert [(one.map, one.lower_is_better) for one in found] == [("S+", False), ("S-", True)]


def test_the_value_of_a_pair_is_the_mean_of_its_scored_images():
    values = np.arange(9.0) / 10
    rows = [0, 1, 2, 3, 5, 6, 7, 8, 9]  # one image of pair 2 alone
    (one,) = split(scored("images", rows, values.tolist()), DECIDED)
    assert one.means["true accept"]["value"] == pytest.approx(np.mean([0.05, 0.75]))
    assert one.means["true reject"]["value"] == pytest.approx(np.mean([0.4, 0.55]))
    assert one.means["false reject"]["value"] == pytest.approx(0.25)


@pytest.mark.parametrize("value", [12.5, 1.0, 0.5])
def test_equal_numbers_have_no_interval_where_their_range_is_not_declared(value):
    (one,) = split(scored("pairs", [0, 2, 3], [value] * 3, ranges={"other": [0, 1]}), DECIDED)
    assert one.means["true reject"] == {"value": value, "low": None, "high": None, "pairs": 2}


def test_equal_numbers_have_the_interval_of_their_declared_range():
    def interval(value, **more):
        (one,) = split(scored("pairs", [0, 2, 3], [value] * 3, **more), DECIDED)
        found = one.means["true reject"]
        return found["low"], found["high"]

    trials = never_empty(1.0, 1.0, 1.0, 2)
    assert trials[0] < trials[1] == 1.0
    assert interval(1.0, ranges={"auc": [0, 1]}) == interval(1.0, score="hiding_game") == trials
    assert interval(1.0, ranges={"auc": [-1, 1]}) == mean_or_none(1.0, 1.0, 1.0, 2, share=False, most=1.0)
    assert interval(1.0, ranges={"auc": [0, 20]}) == mean_or_none(1.0, 1.0, 1.0, 2, share=False, most=20.0)


def test_the_shipped_metrics_have_ranges():
    """``score.json`` has none: they are known by the names of the metrics."""
    names = set(known("score")) - {"sanity"}  # which has no headlines
    assert names == set(SHIPPED)

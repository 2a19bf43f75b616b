"""Explanations that were added stay in plan.json, whatever a launch writes there."""

from typing import Any

from grid.ledger.added_explanations import Explained, added, carried, dropped, entries
from grid.spec.stage_kind import StageName

RISE = Explained("t1", StageName("explain", "rise"), "r1", ("t1",), {"name": "rise"})


def record(*trains: str, **stages: str) -> dict[str, Any]:
    """Cells with a training each; ``stages`` are those of the first."""
    cells = [{"id": f"c-{train}", "stages": {"train": train}} for train in trains]
    cells[0]["stages"] |= stages  # type: ignore[operator]
    kinds = [{"id": train, "stage": "train", "cells": [f"c-{train}"]} for train in trains]
    return {"cells": cells, "stages": kinds, "hidden": []}


def test_an_added_explanation_is_a_stage_of_its_cell_alone() -> None:
    found = added(record("t1", "t2"), [RISE])
    assert [cell["stages"] for cell in found["cells"]] == [{"train": "t1", "explain:rise": "r1"}, {"train": "t2"}]
    (stage,) = (stage for stage in found["stages"] if stage["stage"] == "explain")
    assert (stage["id"], stage["cells"], stage["needs"]) == ("r1", ["c-t1"], ["t1"])
    assert entries(found) == [RISE]


def test_adding_twice_is_adding_once() -> None:
    once = added(record("t1"), [RISE])
    assert added(once, [RISE]) == once


def test_a_launch_keeps_what_was_added() -> None:
    before = added(record("t1", "t2"), [RISE])
    after = carried(record("t2", "t1", "t3"), before)
    assert {cell["id"] for cell in after["cells"] if "explain:rise" in cell["stages"]} == {"c-t1"}
    assert carried(record("t2", "t1", "t3"), after) == after
    assert carried(record("t1"), None)["explained"] == []


def test_a_cell_that_was_away_has_it_again() -> None:
    away = carried(record("t2"), added(record("t1", "t2"), [RISE]))
    assert [cell["stages"] for cell in away["cells"]] == [{"train": "t2"}]
    back = carried(record("t1"), away)
    assert back["cells"][0]["stages"]["explain:rise"] == "r1"


def test_the_grid_file_counts_where_it_uses_the_label_or_has_the_same_explainer() -> None:
    before = added(record("t1"), [RISE])
    own = {"explain:rise": "other"}
    assert carried(record("t1", **own), before)["cells"][0]["stages"] == {"train": "t1", **own}
    same = {"explain:noise": "r1"}
    assert carried(record("t1", **same), before)["cells"][0]["stages"] == {"train": "t1", **same}


def test_a_training_with_another_id_is_another_network() -> None:
    assert carried(record("t9"), added(record("t1"), [RISE]))["cells"][0]["stages"] == {"train": "t9"}


def test_a_cell_says_which_of_its_stages_the_grid_does_not_ask_for() -> None:
    start = record("t1", **{"explain:cam": "m1"})
    start["cells"][0]["config"] = {"explainers": [{"name": "cam", "label": None, "scores": [{"name": "sanity", "label": "s"}]}]}
    own = [
        Explained("t1", StageName("explain", "cam"), "m1", ("t1",), {"name": "cam"}),
        Explained("t1", StageName("score", "cam", "s"), "s1", ("m1",), {}),
    ]
    found = added(start, [RISE, *own, Explained("t1", StageName("score", "cam", "deletion"), "d1", ("m1",), {})])
    assert found["cells"][0]["added"] == ["explain:rise", "score:cam:deletion"]
    assert carried(record("t1"), found)["cells"][0]["added"]  # a launch finds it again


def test_what_is_dropped_goes_with_its_scores_and_nothing_else() -> None:
    score = Explained("t1", StageName("score", "rise", "sanity"), "s1", ("r1",), {"name": "rise"})
    other = Explained("t2", StageName("explain", "rise"), "r2", ("t2",), {"name": "rise"})
    before = added(record("t1", "t2"), [RISE, score, other])
    after, gone = dropped(before, ["t1"], ["rise"])
    assert gone == [RISE, score]
    expected = added(record("t1", "t2"), [other])
    assert {**after, "stages": None} == {**expected, "stages": None}
    assert [stage["id"] for stage in after["stages"]] == ["t1", "t2", "r1", "s1", "r2"], "what was spent on them counts"
    alone, gone = dropped(before, ["t1", "t2"], ["rise:sanity"])
    assert gone == [score]
    assert alone["cells"][0]["stages"] == {"train": "t1", "explain:rise": "r1"}
    assert carried(record("t1", "t2"), after)["cells"][0]["stages"] == {"train": "t1"}


def test_what_the_grid_asks_for_itself_is_never_dropped_from_its_cells() -> None:
    start = record("t1", **{"explain:rise": "r1"})
    start["cells"][0]["config"] = {"explainers": [{"name": "rise"}]}
    after, _ = dropped(added(start, [RISE]), ["t1"], ["rise"])
    assert after["cells"][0]["stages"] == {"train": "t1", "explain:rise": "r1"}
    assert entries(after) == []

"""Explanations that were added stay in plan.json, whatever a launch writes there."""

from typing import Any

from grid.additions import Explained, added, carried, entries

RISE = Explained("t1", "explain:rise", "r1", ("t1",), {"name": "rise"})


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

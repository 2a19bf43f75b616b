"""What tables show of a result that nobody described."""

import ast
from pathlib import Path

import grid
from grid.spec.measure import entry_of, measures_in

FOUND = {"task": "x", "images": 3, "rank": {"1": {"value": 0.5}, "5": {"value": 0.75, "low": 0.5}}, "m_a_p": {"value": None}}


def test_every_entry_with_a_value_is_a_measure_by_its_path() -> None:
    measures = measures_in([FOUND, {"rank": {"10": {"value": 1.0}}}])
    assert [(one.key, one.title) for one in measures] == [
        ("rank:1", "rank 1"),
        ("rank:5", "rank 5"),
        ("m_a_p", "m a p"),
        ("rank:10", "rank 10"),
    ]
    assert not any(one.percent for one in measures)
    assert measures_in([]) == []


def test_an_entry_is_found_by_its_path_and_absent_otherwise() -> None:
    assert entry_of(FOUND, "rank:5") == {"value": 0.75, "low": 0.5}
    for absent in ("rank:2", "nothing", "images", "images:1", "rank:1:value"):
        assert entry_of(FOUND, absent) is None


def test_every_quantity_that_is_no_percentage_says_its_range() -> None:
    """Without it, intervals over seeds of errors in years went below 0. Only of an unknown result it is not known."""
    said, silent = 0, []
    for path in sorted(Path(grid.__path__[0]).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Measure":
                given = {one.arg for one in call.keywords}
                said += "range" in given
                if ("percent" in given or len(call.args) > 2) and "range" not in given:
                    silent.append(path.name)
    assert said > 10
    assert sorted(silent) == ["background.py", "measure.py"], "of the first, all are percentages"

"""User text in a report."""

import numpy as np
import pytest

from grid.report.text import csv_field, csv_text, spreadsheet, value_and_interval


def test_csv_text_quotes_what_needs_it_and_ends_lines_with_a_line_feed() -> None:
    assert csv_text([["a", "b,c"], iter(['say "x"', ""])]) == 'a,"b,c"\n"say ""x""",\n'


def test_no_field_is_a_formula() -> None:
    assert [spreadsheet(text) for text in ("=1+1", "-1", "a=1", "")] == ["'=1+1", "'-1", "a=1", ""]


@pytest.mark.parametrize("value", [np.float64(0.1), np.float32(0.5), np.int64(3), np.bool_(True)])
def test_numpy_s_numbers_are_numbers(value: np.generic) -> None:
    assert csv_field(value) == csv_field(value.item()) == repr(value.item())


def test_a_value_has_its_interval_where_both_ends_are_known():
    entry = {"value": 0.51234, "low": 0.4, "high": 0.6}
    assert value_and_interval(entry, 2) == ("0.51", "[0.40, 0.60]")
    assert value_and_interval(entry, 1, 100) == ("51.2", "[40.0, 60.0]")
    assert value_and_interval({"value": 0.5, "low": None}, 3) == ("0.500", "")
    assert value_and_interval({"value": 0.5, "low": None, "high": 0.6}, 3) == ("0.500", "")
    assert value_and_interval(None, 2) == value_and_interval({"value": None}, 2) == ("–", "")

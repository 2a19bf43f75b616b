"""User text in a report."""

import numpy as np
import pytest

from grid.report.text import csv_field, csv_text, spreadsheet


def test_csv_text_quotes_what_needs_it_and_ends_lines_with_a_line_feed() -> None:
    assert csv_text([["a", "b,c"], iter(['say "x"', ""])]) == 'a,"b,c"\n"say ""x""",\n'


def test_no_field_is_a_formula() -> None:
    assert [spreadsheet(text) for text in ("=1+1", "-1", "a=1", "")] == ["'=1+1", "'-1", "a=1", ""]


@pytest.mark.parametrize("value", [np.float64(0.1), np.float32(0.5), np.int64(3), np.bool_(True)])
def test_numpy_s_numbers_are_numbers(value: np.generic) -> None:
    assert csv_field(value) == csv_field(value.item()) == repr(value.item())

"""User text in a report."""

from grid.report.text import csv_text, spreadsheet


def test_csv_text_quotes_what_needs_it_and_ends_lines_with_a_line_feed() -> None:
    assert csv_text([["a", "b,c"], iter(['say "x"', ""])]) == 'a,"b,c"\n"say ""x""",\n'


def test_no_field_is_a_formula() -> None:
    assert [spreadsheet(text) for text in ("=1+1", "-1", "a=1", "")] == ["'=1+1", "'-1", "a=1", ""]

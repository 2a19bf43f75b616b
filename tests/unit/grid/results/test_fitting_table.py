import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grid.results.fitting_table import FittingTable


def printed(width, long="resnet34", caption="all but AUC in %"):
    table = Table(title=Text("study"), box=None, pad_edge=False)
    table.add_column("Network", overflow="fold")
    table.add_column("Accuracy,\ncross-\nvalidated", no_wrap=True, justify="right")
    table.add_column("EER", no_wrap=True, justify="right")
    table.add_row(long, Text("88.89 ±23.90"), Text("5.56 ±11.11"))
    table.add_row("alexnet", Text("91.67 ±20.70\n70.00 ±10.00"), "")
    table.caption = Text(caption)
    out = Console(width=width, file=io.StringIO(), color_system=None)
    out.print(FittingTable(table))
    return out.file.getvalue()


def test_a_table_that_fits_is_a_table():
    lines = printed(60).splitlines()
    assert any("resnet34" in line and "88.89 ±23.90" in line for line in lines)


def test_a_caption_is_as_wide_as_the_console_and_not_as_the_table():
    caption = "running: backbone=resnet34: train, attempt 2, on 2 devices, epoch 1 of 12"
    text = printed(80, caption=caption)
    assert text.splitlines()[-1].rstrip() == caption
    assert text.count("running:") == 1
    assert printed(24, caption=caption).splitlines()[-1].rstrip() != caption


@pytest.mark.parametrize("width", [34, 30, 24])
def test_where_columns_do_not_fit_each_row_is_a_few_lines_and_no_number_is_cut(width):
    text = printed(width)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    joined = " ".join(text.split())
    for part in ("Network: resnet34", "88.89 ±23.90", "EER: 5.56 ±11.11", "91.67 ±20.70,", "70.00 ±10.00", "all but AUC in %"):
        assert part in joined
    assert "Accuracy, cross-validated: 88.89 ±23.90" in joined
    assert "…" not in text
    assert "EER: Network" not in joined  # an empty field has no line


def test_a_long_name_folds_before_the_table_is_given_up():
    text = printed(50, "a_network_with_a_name_that_is_longer_than_its_column")
    assert "Network:" not in text
    assert "88.89 ±23.90" in text

"""Means over replicates with both of their intervals, and what counts as a replicate."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from grid.report import console
from grid.report.build import build
from grid.results.combinations import combined, mean_result
from grid.results.result import Result
from grid.results.rows import table
from grid.spec.measure import DIFFERENCE, SHARE

AXES = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
LFW = "lfw view 2"


@pytest.fixture
def study(make_study):
    return make_study(axes=AXES, pairs=120, explainers=(), unfinished=[{"backbone": "resnet34", "replicate": "2"}])


def test_a_row_per_combination_has_the_mean_and_both_intervals(study):
    found = table(study)
    one, other = combined(found).rows
    assert [row.cell.levels for row in (one, other)] == [
        {"backbone": "alexnet", "replicate": "3"}, {"backbone": "resnet34", "replicate": "2 of 3"},
    ]  # fmt: skip
    for column in found.columns:
        known = [row.value(column) for row in found.rows[:3]]
        value, values = one.value(column), [each.value for each in known]
        assert value.value == pytest.approx(np.mean(values))
        assert value.replicates == 3
        assert (value.low, value.high) == (
            pytest.approx(np.mean([each.low for each in known])), pytest.approx(np.mean([each.high for each in known])),
        )  # fmt: skip
        if np.ptp(values) > 0:
            wanted = np.clip(stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)), 0, 1)  # all are shares
            assert (value.seeds_low, value.seeds_high) == pytest.approx(tuple(wanted))
    assert (other.state, other.value(found.columns[0]).replicates) == ("unfinished", 2)
    assert other.reason.startswith("replicate 2: ")


def test_replicates_with_equal_outputs_count_once(study):
    found = table(study)
    markers = found.rows[1].markers | {f"evaluate:{LFW}": found.rows[0].markers[f"evaluate:{LFW}"]}
    rows = (found.rows[0], replace(found.rows[1], markers=markers, results=found.rows[0].results), *found.rows[2:])
    one = combined(replace(found, rows=rows)).rows[0]
    column = found.columns[0]
    assert one.cell.levels["replicate"] == "2 (3, some equal)"
    assert one.value(column).value == pytest.approx(np.mean([found.rows[n].value(column).value for n in (0, 2)]))


def test_without_replicates_the_table_is_the_same(make_study):
    found = table(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=()))
    assert combined(found) is found


def test_a_single_replicate_has_no_interval_over_seeds_and_no_interval_has_width_0():
    one = Result("c", {}, 0, "evaluate", "auc", 0.9, low=0.8, high=0.95)
    assert mean_result([one]).seeds_low is None
    both = mean_result([one, replace(one, replicate=1)])
    assert both.seeds_low < 0.9 < both.seeds_high > 1
    assert mean_result([one, replace(one, replicate=1)], SHARE).seeds_high == 1


@pytest.mark.parametrize("signed", [True, False])
def test_the_interval_of_a_change_may_lie_below_0_and_that_of_a_share_may_not(study, signed):
    found = table(study)
    first = found.columns[0]
    columns = (replace(first, percent=True, range=DIFFERENCE if signed else None), *found.columns[1:])
    changes = iter((-0.10, -0.12, -0.11) * len(found.rows)) if signed else iter((0.01, 0.0, 0.05) * len(found.rows))
    rows = tuple(
        replace(
            row, results=tuple(replace(one, value=next(changes)) if one is row.value(first) else one for one in row.results)
        )
        for row in found.rows
    )
    for row in combined(replace(found, rows=rows, columns=columns)).rows:
        value = row.value(columns[0])
        if value is not None and value.value is not None and value.seeds_low is not None:
            assert value.seeds_low < value.value < value.seeds_high
            assert (value.seeds_low < 0) == signed


def test_every_printed_form_has_a_row_per_combination(study):
    folder = build(study).parent
    found = combined(table(study))
    column = next(one for one in found.columns if one.key == "auc")
    values = [row.value(column) for row in found.rows]
    lines = list(csv.DictReader((folder / "table.csv").open(encoding="utf-8")))
    assert [float(line["auc"]) for line in lines] == [one.value for one in values]
    assert [float(line["auc_seeds_high"]) for line in lines] == [one.seeds_high for one in values]
    assert [line["auc_replicates"] for line in lines] == ["3", "2"]
    records = json.loads((folder / "report.json").read_text(encoding="utf-8"))["combinations"]
    assert [one["levels"] for one in records] == [{"backbone": "alexnet"}, {"backbone": "resnet34"}]
    assert [one["metrics"][LFW]["auc"]["seeds_low"] for one in records] == [one.seeds_low for one in values]
    spread = column.seeds(values[0])
    for name in ("table.md", "table.tex", "index.html"):
        text = (folder / name).read_text(encoding="utf-8").replace("{[}", "[").replace("{]}", "]").replace("\\[", "[")
        assert spread in text.replace("\\]", "]"), name
    assert len(list(csv.DictReader((folder / "results.csv").open(encoding="utf-8")))) > 2 * 3
    page = (folder / "index.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="table">') :].partition("</section>")[0]
    assert 'data-cells="0 1 2"' in section
    assert section.count("data-row=") == 6
    assert section.index("data-cells") < section.index("Each of the 6 replicates") < section.index("data-row")
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(console.table(study))
    assert "2 of 3" in out.file.getvalue()
    assert "that of seeds over replicates" in " ".join(out.file.getvalue().split())

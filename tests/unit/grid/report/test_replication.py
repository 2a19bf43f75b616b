"""Sequential replication in the report: counts, reasons and intervals."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from grid.report.build import build
from grid.report.replication import (
    cell_rows,
    contrast_head,
    contrast_rows,
    note,
    replication_json,
    replication_markdown,
)
from grid.results.replication import Replicates
from grid.spec.replication import Replication
from modules.metrics.sequential_replication import replicated

CELLS = ({"rate": "low"}, {"rate": "mid"}, {"rate": "high"})
VALUES: list[list[float | None]] = [[0.50, 0.51, 0.49, 0.50], [0.505, 0.52, 0.50, 0.51], [0.9, 0.901, 0.899]]


def found(values: Sequence[Sequence[float | None]] = VALUES, at_most: int = 4, **until: Any) -> Replicates:
    rule = Replication.model_validate(
        {"at_least": 3, "at_most": at_most, "until": {"metric": "auc", "half_width": 0.001, **until}}
    )
    done = tuple(sum(value is not None for value in own) for own in values)
    decided = replicated(values, rule.contrasts(CELLS), rule.looks, rule.until.half_width)
    return Replicates(rule, "drawn", CELLS, done, decided)


def test_each_cell_has_its_replicates_and_why_it_has_no_more():
    assert cell_rows(found()) == [
        ["low", "4", "all 4 are done; of 2 differences: 1 significant, 1 open"],
        ["mid", "4", "all 4 are done; of 2 differences: 1 significant, 1 open"],
        ["high", "3", "of 2 differences: 2 significant"],
    ]


def test_an_unfinished_cell_says_how_many_it_needs():
    (low, *_) = cell_rows(found(at_most=6))
    assert low == ["low", "4", "not finished: 5 are needed; of 2 differences: 1 significant, 1 open"]


def test_a_cell_whose_partner_failed_says_so():
    values = [[0.5, None, 0.5], [0.6, 0.61, 0.6], [0.9, 0.9, 0.901]]
    rows = cell_rows(found(values))
    assert rows[0] == ["low", "2", "not finished: 3 are needed; of 2 differences: 2 too few results"]
    assert rows[2] == [
        "high",
        "3",
        "a cell that it is compared with lacks results; of 2 differences: 1 significant, 1 too few results",
    ]


def test_results_are_provisional_until_all_cells_have_those_of_the_first_look():
    waiting = found([VALUES[0], VALUES[2], [0.7, None]])
    assert cell_rows(waiting)[0][2].endswith("1 significant, 1 too few results")
    assert note(waiting).endswith("A difference that is closed now may be open again then.")
    assert replication_json(waiting)["provisional"] is True
    assert "provisional" not in note(found())
    assert replication_json(found())["provisional"] is False


def test_differences_have_their_interval_and_state():
    rows = contrast_rows(found())
    one = found().found.contrasts[1]
    assert one.low is not None
    assert one.high is not None
    assert rows[1] == ["low − high", "3", "−0.4000", f"[−{-one.low:.4f}, −{-one.high:.4f}]", "significant"]
    assert rows[0][0] == "low − mid"
    assert rows[0][4] == "open"


def test_means():
    means = found(of="means", half_width=0.1)
    assert contrast_head(means)[0] == "Mean"
    assert [row[0] for row in contrast_rows(means)] == ["low", "mid", "high"]
    assert cell_rows(means)[2] == ["high", "3", "narrow enough"]
    assert "intervals of the means" in note(means)


def test_markdown_and_json_have_both_tables():
    text = replication_markdown(found(), "mine")
    assert text.startswith("# mine: sequential replication\n")
    assert "| high | 3 | of 2 differences: 2 significant |" in text
    content = replication_json(found())
    assert [cell["replicates"] for cell in content["cells"]] == [4, 4, 3]
    assert content["contrasts"][1]["state"] == "differs"
    assert content["contrasts"][1]["low"] == found().found.contrasts[1].low
    assert content["until"]["metric"] == "auc"


@pytest.fixture
def study(make_study):
    from grid.ledger.study import Study

    axes = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
    made = make_study(axes=axes, pairs=100, explainers=())
    rule = {
        "at_least": 2, "at_most": 3, "until": {"metric": "auc", "half_width": 0.5, "protocol": None, "of": "pairs"},
        "cells": [{"backbone": "alexnet"}, {"backbone": "resnet34"}], "protocol": "lfw view 2",
    }  # fmt: skip
    record = json.loads((made.path / "plan.json").read_text())
    (made.path / "plan.json").write_text(json.dumps({**record, "replication": rule}))
    return Study(made.path)


def test_the_report_has_the_section_and_warns_where_tests_do_not_allow_for_it(study):
    page = build(study)
    html = page.read_text(encoding="utf-8")
    assert '<section id="replication">' in html
    assert "alexnet − resnet34" in html
    assert "Sequential replication" in html
    assert "no test over seeds in this section allows for that" in page.with_name("analysis.md").read_text(encoding="utf-8")
    assert "alexnet − resnet34" in page.with_name("replication.md").read_text(encoding="utf-8")
    assert json.loads(page.with_name("report.json").read_text())["replication"]["at_most"] == 3


def test_a_report_without_it_has_no_such_section(make_study):
    page = build(make_study(axes={"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1"]}, pairs=60, explainers=()))
    assert 'id="replication"' not in page.read_text(encoding="utf-8")
    assert not page.with_name("replication.md").exists()
    assert "allows for that" not in page.with_name("analysis.md").read_text(encoding="utf-8")

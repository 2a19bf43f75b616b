"""The table of all accuracies that have one name."""

import re
from dataclasses import replace

import numpy as np
import pytest

from grid.report.build import build
from grid.report.modes import boards, modes_markdown
from grid.results import rows

MODES = ("ten_fold", "insightface", "youden", "best_threshold", "facenet")


@pytest.fixture
def study(make_study):
    return make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=200, explainers=())


def test_every_cell_has_every_mode_with_its_spread_and_its_difference(study):
    table = rows.table(study)
    (board,) = boards(table)
    assert (board.protocol, board.names, len(board.lines)) == ("lfw view 2", MODES, 2)
    for line in board.lines:
        found = line.row.metrics["lfw view 2"]["modes"]
        assert board.text(line, "ten_fold")[0] == f"{100 * found['ten_fold']['value']:.2f}"
        assert re.fullmatch(r"s\.e\. \d\.\d\d", board.text(line, "ten_fold")[1])
        assert re.fullmatch(r"s\.d\. \d\.\d\d [+-]\d+\.\d\d", board.text(line, "insightface")[1])
        differs = 100 * (found["best_threshold"]["value"] - found["ten_fold"]["value"])
        assert board.text(line, "best_threshold") == (f"{100 * found['best_threshold']['value']:.2f}", f"{differs:+.2f}")
        assert board.text(line, "facenet_mean") == ("–", "")


def test_it_is_written_beside_the_page_and_in_it(study):
    page = build(study)
    lines = page.with_name("modes.md").read_text().splitlines()
    assert "## Accuracy on lfw view 2" in lines
    assert any(line.startswith(r"* best\_threshold: one threshold for all pairs") for line in lines)
    fields = [line.split(" | ") for line in lines if line.startswith("| ")]
    assert {len(one) for one in fields} == {1 + len(MODES)}
    assert r"best\_threshold" in lines[6]
    text = page.read_text()
    assert 'id="modes"' in text
    assert "ten_fold" in text


def test_cells_of_before_and_studies_without_pairs_have_none(make_study, study):
    table = rows.table(study)
    before = [
        replace(row, results=tuple(one for one in row.results if not one.metric.startswith("modes:"))) for row in table.rows
    ]
    assert boards(replace(table, rows=tuple(before))) == []
    bare = make_study("bare", axes={"backbone": ["alexnet"]}, protocols=(), explainers=())
    page = build(bare)
    assert not page.with_name("modes.md").exists()
    assert 'id="modes"' not in page.read_text()


def test_markdown_has_no_live_letters_of_users(make_study):
    study = make_study(axes={"a|b": ["x|y"]}, pairs=60, protocols=("p|q",), explainers=())
    text = modes_markdown(boards(rows.table(study)), study.name)
    assert r"p\|q" in text
    assert r"a\|b=x\|y" in text


def test_val_over_folds_has_the_standard_error_of_its_mean(study):
    table = rows.table(study)
    each = np.array([0.5, 0.75, 0.625, 0.875, 0.75])
    mode = {"folds": [0.9] * 5, "val": {"value": each.mean(), "spread": np.std(each), "target": 0.001, "far": 0.002}}
    modes = {"facenet": mode, "facenet_mean": {**mode, "val": {**mode["val"], "value": 0.75}}, "youden": {"folds": [0.9] * 5}}

    def found(impostor, modes):
        row = replace(table.rows[0], metrics={"lfw view 2": {"impostor": impostor, "modes": modes}})
        return [one for one in boards(replace(table, rows=(row,))) if one.number.startswith("VAL")]

    (board,) = found(1250, modes)  # 1,000 in the other four folds
    assert (board.protocol, board.number, board.names) == ("lfw view 2", "VAL @ 0.1 %", ("facenet", "facenet_mean"))
    error = np.std(each, ddof=1) / np.sqrt(5)
    (line,) = board.lines
    assert board.text(line, "facenet") == ("70.00", f"s.e. {100 * error:.2f} at FAR 0.2 %")
    assert board.text(line, "facenet_mean") == ("75.00", f"s.e. {100 * error:.2f} at FAR 0.2 % +5.00")
    assert not found(1249, modes)
    assert not found(
        1250, {"facenet": {**mode, "val": {"value": None, "target": 0.001, "reason": "fold 1 has no impostor pairs"}}}
    )


def test_templates_and_searches_have_their_readings_side_by_side(study):
    table = rows.table(study)
    templates = {
        "task": "templates",
        "tar": {
            "0.0001": {"value": 0.9, "nearest": {"value": 0.9125}},
            "1e-06": {"value": None, "reason": "too few"},
        },
    }
    search = {
        "task": "identification",
        "readings": {
            "cmc": {"1": {"exact": {"value": 0.95}, "joined": {"value": 0.94}}},
            "dir": {
                "0.01": {"exact": {"value": 0.8}, "pfe": {"value": 0.81}, "insightface": {"value": 0.85}},
                "0.001": {"exact": {"value": None, "reason": "x"}, "pfe": {"value": 0.1}, "insightface": {"value": None}},
            },
        },
    }
    first, second = table.rows
    own = replace(first, metrics={**first.metrics, "1:1": templates, "1:N": search})
    columns = [replace(table.columns[0], protocol=protocol) for protocol in ("1:1", "1:N")]
    found = boards(replace(table, rows=(own, second), columns=(*table.columns, *columns)))
    assert [(one.protocol, one.number, one.names) for one in found[1:]] == [
        ("1:1", "TAR @ 0.01 %", ("exact", "nearest")),
        ("1:N", "Rank 1", ("exact", "joined")),
        ("1:N", "DIR @ 1 %", ("exact", "pfe", "insightface")),
    ]
    assert [board.text(board.lines[0], board.names[-1]) for board in found[1:]] == [
        ("91.25", "+1.25"),
        ("94.00", "-1.00"),
        ("85.00", "+5.00"),
    ]
    text = modes_markdown(found, study.name)
    assert "## DIR @ 1 % on 1:N" in text
    for board in found:
        for name in board.names:
            assert f"* {name}: ".replace("_", r"\_") in text


def test_replicates_are_one_line_of_means_and_equal_ones_count_once(make_study):
    axes = {"backbone": ["alexnet"], "replicate": ["1", "2", "3"]}
    table = rows.table(make_study("seeds", axes=axes, pairs=200, explainers=()))
    first, second, third = table.rows
    ((line,),) = [board.lines for board in boards(table)]
    assert (line.title, line.cells, line.replicates) == ("backbone=alexnet (3 replicates)", 3, table.rows)
    alone = [boards(replace(table, rows=(row,)))[0].lines[0] for row in table.rows]
    assert alone[0].title == first.title
    for mode in MODES:
        of_each = [one.readings[mode] for one in alone]
        assert line.readings[mode].value == pytest.approx(np.mean([one.value for one in of_each]))
        assert line.readings[mode].kind == of_each[0].kind
        if of_each[0].spread is not None:
            assert line.readings[mode].spread == pytest.approx(np.mean([one.spread for one in of_each]))
    assert len({one.readings["ten_fold"].value for one in alone}) > 1
    copies = (first, replace(first, cell=second.cell), third)
    (line,) = boards(replace(table, rows=copies))[0].lines
    assert line.count == "3 replicates"
    assert line.readings["ten_fold"].value == pytest.approx(
        np.mean([alone[0].readings["ten_fold"].value, alone[2].readings["ten_fold"].value])
    )
    (line,) = boards(replace(table, rows=copies[:2]))[0].lines
    assert line.title == "backbone=alexnet (2 equal replicates)"
    assert line.readings == alone[0].readings

"""The hardest pairs against a count, pair by pair."""

import csv
import hashlib
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from invented_study import build_study

from grid.report import hard_pairs
from grid.report.build import build
from grid.report.hard_pairs import boards
from grid.results import rows

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}
LFW = "lfw view 2"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tests only read it and its ``page``."""
    return build_study(tmp_path_factory.mktemp("hard") / "ito2021", axes=AXES, pairs=120, explainers=())


@pytest.fixture(scope="module")
def page(study):
    return build(study)


def scores_of(study, row):
    return pq.read_table(study.ledger.path(row.markers[f"evaluate:{LFW}"], "scores.parquet")).to_pylist()


def counted(study):
    """(left, right) -> [kind, wrong decisions, scores, distances], by trying every threshold."""
    found = defaultdict(lambda: [None, 0, [], []])
    for row in rows.table(study).rows:
        pairs = scores_of(study, row)
        best = max(
            sorted({one["score"] for one in pairs}, reverse=True),
            key=lambda t: sum((one["score"] >= t) == one["same"] for one in pairs),
        )
        for one in pairs:
            entry = found[one["left"], one["right"]]
            entry[0] = one["same"]
            entry[1] += (one["score"] >= best) != one["same"]
            entry[2].append(one["score"])
    return found


def test_pairs_are_ranked_by_the_number_of_cells_that_are_wrong(study):
    (board,) = boards(study, rows.table(study))
    wanted = counted(study)
    assert board.cells == 4
    wrong = [entry[1] for entry in wanted.values()]
    assert board.counts == (wrong.count(4), sum(0 < n < 4 for n in wrong), wrong.count(0))
    for kind, found in ((True, board.genuine), (False, board.impostor)):
        own = sorted((entry[1] for entry in wanted.values() if entry[0] is kind and entry[1]), reverse=True)
        assert [pair.wrong for pair in found] == own[: hard_pairs.LISTED]
        for pair in found:
            entry = wanted[pair.left, pair.right]
            assert (entry[0], entry[1], pair.cells) == (kind, pair.wrong, 4)
            assert pair.score == pytest.approx(np.mean(entry[2]))
        sides = [(pair.wrong, -pair.distance if kind else pair.distance) for pair in found]
        assert sides == sorted(sides, reverse=True)


def test_equal_replicates_count_once(make_study):
    table = rows.table(study := make_study(axes={"backbone": ["alexnet"], "replicate": ["0", "1", "2"]}, explainers=()))
    first, second, third = table.rows
    (board,) = boards(study, replace(table, rows=(first, replace(first, cell=second.cell), third)))
    assert board.cells == 2
    assert all(pair.cells == 2 for pair in board.genuine)


def test_a_cell_that_dropped_a_pair_does_not_count_for_it(make_study):
    study = make_study(axes=AXES, pairs=120, explainers=())
    table = rows.table(study)
    (before,) = boards(study, table)
    worst = before.genuine[0]
    marker = table.rows[0].markers[f"evaluate:{LFW}"]
    path = study.ledger.path(marker, "scores.parquet")
    kept = [one for one in scores_of(study, table.rows[0]) if (one["left"], one["right"]) != (worst.left, worst.right)]
    pq.write_table(pa.Table.from_pylist(kept), path)
    marker.outputs["scores.parquet"].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
    (board,) = boards(study, table)
    assert {(pair.left, pair.right): pair.cells for pair in board.genuine}[worst.left, worst.right] == 3
    assert {pair.cells for pair in board.impostor} == {4}
    assert sum(board.counts) == sum(before.counts) == 120


def test_long_lists_and_single_cells_have_no_board(study, make_study, monkeypatch):
    alone = make_study("alone", axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    assert boards(alone, rows.table(alone)) == []
    monkeypatch.setattr(hard_pairs, "MOST", 100)
    assert boards(study, rows.table(study)) == []


def test_the_page_names_the_pairs(study, page):
    (board,) = boards(study, rows.table(study))
    text = page.read_text()
    section = text[text.index('<section id="pairs">') :].partition("</section>")[0]
    for pair in (*board.genuine[: hard_pairs.SHOWN], *board.impostor[: hard_pairs.SHOWN]):
        assert f"{pair.left} and {pair.right}" in section
    assert section.count("<tr>") == 2 + sum(min(len(found), hard_pairs.SHOWN) for found in (board.genuine, board.impostor))
    assert f"{board.counts[0]} pairs are decided wrongly by all 4 cells" in section


def test_the_files_have_more_pairs_than_the_page(study, page):
    (board,) = boards(study, rows.table(study))
    folder = page.parent
    lines = list(csv.DictReader((folder / "hard_pairs.csv").open(encoding="utf-8")))
    records = json.loads((folder / "report.json").read_text(encoding="utf-8"))["hard_pairs"]
    every = [("genuine", pair) for pair in board.genuine] + [("impostor", pair) for pair in board.impostor]
    assert len(board.genuine) > hard_pairs.SHOWN
    assert [(one["kind"], one["left"], one["right"], one["wrong"], one["score"]) for one in records] == [
        (kind, pair.left, pair.right, pair.wrong, pair.score) for kind, pair in every
    ]
    assert [(one["kind"], one["left"], float(one["distance"])) for one in lines] == [
        (kind, pair.left, pair.distance) for kind, pair in every
    ]
    assert [int(one["rank"]) for one in lines if one["kind"] == "impostor"] == list(range(1, len(board.impostor) + 1))


def test_a_pair_that_a_protocol_lists_twice_counts_once_in_each_cell():
    pairs, same = [("a", "b"), ("c", "d")], np.array([True, False])
    part = np.array([0, 0, 1]), np.array([0.2, 0.2, 0.9]), np.array([-0.3, -0.3, 0.4])
    found = hard_pairs._ranked("lfw", pairs, same, [part, part], 2)
    for board in (found.genuine, found.impostor):
        assert [(one.wrong, one.cells) for one in board] == [(2, 2)]

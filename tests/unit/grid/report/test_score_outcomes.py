"""Scores of explanations by decision, in the report's forms."""

import csv
import io
import json
from types import SimpleNamespace

import pytest

from grid.report import build as building
from grid.report.score_outcomes import NOTE, boards, fields, outcomes_csv, outcomes_json, outcomes_markdown
from grid.results.decisions import Decisions
from grid.results.score_outcomes import OutcomeScore

ROW = SimpleNamespace(cell=SimpleNamespace(id="c0ffee", levels={"backbone": "a"}), title="backbone=a")
DECIDED = Decisions("alike", 0.4567, ("true accept", "true accept", "true reject", "false accept"))
MEANS = {
    "true accept": {"value": 0.5, "low": 0.25, "high": 0.75, "pairs": 2},
    "false accept": {"value": 1, "low": 0.5, "high": 1.0, "pairs": 1},
}


def one(method="gradcam", number="auc", lower=False, of="pairs"):
    return OutcomeScore(ROW, of, method, "S-" if method == "corr_rise" else "", "hiding_game", number, DECIDED, MEANS, lower)


def test_a_board_per_number_with_a_line_per_map():
    found = boards([one(), one(number="refit"), one("corr_rise"), one(of="pairs of masked", lower=True)])
    assert [(board.title, [line.title for line in board.lines]) for board in found] == [
        ("Hiding game AUC on pairs", ["gradcam", "corr_rise S-"]),
        ("Hiding game refit on pairs", ["gradcam"]),
        ("Hiding game AUC on pairs of masked (less is better)", ["gradcam"]),
    ]
    assert found[0].threshold == (
        "Accepted from a cosine of 0.457 (best threshold of alike): 2 true accepts, 0 false rejects, 1 true reject, "
        "1 false accept."
    )
    assert fields(one()) == [("0.500", "[0.250, 0.750] 2"), ("–", ""), ("–", ""), ("1.000", "[0.500, 1.000] 1")]


def test_a_mean_without_an_interval_is_a_mean():
    means = {"true accept": {"value": 12.5, "low": None, "high": None, "pairs": 1}}
    alone = OutcomeScore(ROW, "pairs", "any", "", "any", "logit", DECIDED, means, False)
    assert fields(alone)[0] == ("12.500", "1")
    (line,) = csv.DictReader(io.StringIO(outcomes_csv([alone], ["backbone"])))
    assert (line["value"], line["low"], line["high"]) == ("12.5", "", "")


def test_markdown_csv_and_json():
    text = outcomes_markdown(boards([one(), one("corr_rise")]), "x|y")
    assert NOTE in text
    assert "| Method | True accept | False reject | True reject | False accept |" in text
    assert "| corr\\_rise S- | 0.500 \\[0.250, 0.750\\] 2 | – | – |" in text
    lines = list(csv.DictReader(io.StringIO(outcomes_csv([one(), one("corr_rise")], ["backbone"]))))
    assert [(line["method"], line["outcome"], float(line["value"]), line["pairs"]) for line in lines[1:3]] == [
        ("gradcam", "false accept", 1.0, "1"),
        ("corr_rise", "true accept", 0.5, "2"),
    ]
    assert float(lines[0]["threshold"]) == 0.4567
    (found,) = json.loads(json.dumps(outcomes_json([one()])))
    assert (found["cell"], found["outcomes"]["true accept"]["low"]) == ("c0ffee", 0.25)


@pytest.mark.parametrize("there", [True, False])
def test_the_report_has_it_where_pairs_are_decided(make_study, monkeypatch, there):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    monkeypatch.setattr(building, "score_outcomes", lambda *_: [one()] if there else [])
    page = building.build(study)
    assert ('id="decisions"' in page.read_text()) == there
    assert ("[0.250, 0.750] 2</small>" in page.read_text()) == there
    assert page.with_name("score_outcomes.csv").exists() == there
    assert page.with_name("score_outcomes.md").exists() == there

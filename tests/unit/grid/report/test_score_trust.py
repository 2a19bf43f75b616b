"""The chapter on scores: its sentences, and its files."""

import csv
import io
import json
from types import SimpleNamespace

import pytest

from grid.report import build as building
from grid.report.score_trust import NOTE, boards, fields, sentence, sentences, trust_csv, trust_json, trust_markdown
from grid.results.score_trust import Trust

WITHIN = {"value": 0.25, "low": 0.1, "high": 0.4, "pairs": 9}
AGREEMENT = {
    "maps": 8, "pairs": 25, "units": 20, "value": 0.8, "low": 0.5, "high": 0.9, "p": 0.0004, "within": WITHIN, "repeats": 0.93,
    "verdict": "agrees",
}  # fmt: skip
CELL = SimpleNamespace(id="c0ffee", levels={"backbone": "a|b"})
ROW = SimpleNamespace(cell=CELL, title="backbone=a|b")
HIDING, ENERGY, POINTING = ("hiding_game", "auc"), ("pointing", "energy"), ("pointing", "pointing")


def trust(truth=ENERGY, score=HIDING, known=False, of="pairs", **found):
    return Trust(ROW, of, truth, score, known, ("gradcam", "corr_rise S-"), {**AGREEMENT, **found})


def test_each_verdict_has_a_sentence():
    assert sentence(trust()) == (
        "Hiding game AUC ranks these 8 maps much as Pointing energy does (0.80 [0.50, 0.90]): it can be trusted to choose "
        "among them."
    )
    assert "in reverse (-0.80" in sentence(trust(value=-0.8, verdict="reversed"))
    assert "do not choose by it" in sentence(trust(verdict="unclear"))
    assert "(undefined): do not" in sentence(trust(value=None, low=None, verdict="unclear"))
    few = sentence(trust(maps=3, verdict="too few methods"))
    assert "3 maps are too few" in few
    assert "fewer than 5" in few


def test_a_board_per_ground_truth_and_kind_of_pairs():
    found = boards([trust(), trust(score=POINTING, known=True), trust(POINTING), trust(of="pairs of masked")])
    assert [(board.title, len(board.lines)) for board in found] == [
        ("Pointing energy on pairs", 2),
        ("Pointing on pairs", 1),
        ("Pointing energy on pairs of masked", 1),
    ]
    said = found[0].repeats
    assert said.startswith("Maps: gradcam, corr_rise S-. 25 pairs with a known region. Intervals are over 20 subjects, or ")
    assert "two halves of them is 0.93: near 0, " in said
    assert len(sentences(found[0])) == 1  # pointing uses the ground truth, so it is not judged


def test_fields_have_intervals_and_say_where_there_is_no_number():
    assert [text for text, _ in fields(trust())] == ["Hiding game AUC", "0.80", "< 0.001", "0.25", "8", "ranks maps alike"]
    assert fields(trust())[1][1] == "[0.50, 0.90]"
    none = trust(value=None, low=None, p=None, within={"value": None, "low": None, "high": None, "pairs": 0}, verdict="unclear")
    assert [text for text, _ in fields(none)][1:] == ["–", "–", "–", "8", "unclear"]
    assert fields(trust(known=True))[-1][0] == "uses the ground truth"


def test_markdown_and_csv():
    found = [trust(), trust(POINTING, verdict="unclear", p=0.2)]
    text = trust_markdown(boards(found), "my|study")
    assert "# Scores of explanations of my\\|study" in text
    assert NOTE in text
    assert "| Hiding game AUC | 0.80 \\[0.50, 0.90\\] | &lt; 0.001 |" in text
    assert text.count("\n* Hiding game AUC") == 2
    lines = list(csv.DictReader(io.StringIO(trust_csv(found, ["backbone"]))))
    assert (lines[0]["truth_number"], lines[0]["score"], float(lines[0]["low"])) == ("energy", "hiding_game", 0.5)
    assert (float(lines[1]["p"]), lines[1]["verdict"], lines[1]["within_pairs"]) == (0.2, "unclear", "9")
    assert json.loads(json.dumps(trust_json(found)))[0]["compared"] == ["gradcam", "corr_rise S-"]


@pytest.mark.parametrize("there", [True, False])
def test_the_report_has_the_chapter_where_there_is_ground_truth(make_study, monkeypatch, there):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    monkeypatch.setattr(building, "score_trust", lambda *_: [trust(), trust(score=POINTING, known=True)] if there else [])
    page = building.build(study)
    text = page.read_text()
    assert ("Which explanation score can be trusted" in text) == there
    assert ('href="#trust"' in text) == there
    assert page.with_name("score_trust.md").exists() == there
    assert ("score_trust" in json.loads(page.with_name("report.json").read_text())) == there
    if there:
        assert "0.80<small>[0.50, 0.90]</small>" in text
        monkeypatch.setattr(building, "score_trust", lambda *_: [])
        assert not building.build(study).with_name("score_trust.csv").exists()

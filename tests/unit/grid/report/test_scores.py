import csv
import io
import json
from pathlib import Path

import pytest

from configs.component import digest
from grid.ledger.study import Study
from grid.report.build import build
from grid.report.scores import beats_center, tables
from grid.report.scores_files import scores_csv, scores_json, scores_markdown
from grid.results import rows
from grid.results.explanation_scores import explanation_scores
from grid.spec.finished import Finished
from grid.spec.stage_kind import StageName
from grid.tracking.files import stage_files
from grid.tracking.metrics import finals


def number(value, above=None):
    """Beside the center baseline by ``above``, within 0.02 on both sides."""
    found = {"value": value, "low": value - 0.1, "high": value + 0.1}
    return (
        found if above is None else found | {"above": {"center": {"value": above, "low": above - 0.02, "high": above + 0.02}}}
    )


def game(auc, above, **more):
    return {
        "score": "hiding_game", "of": "images", "count": 4, "missing": 0, "headlines": ["auc"], "lower_is_better": [],
        "maps": {"": {"auc": number(auc, above), "score": number(7.0)}}, "baselines": {"center": {"auc": number(0.5)}},
        "details": {"shares": [0.0, 1.0], "methods": {"": {"baseline": False, "accuracy": {"course": [0.75, 0.25]}}}}, **more,
    }  # fmt: skip


def deletion(value, above):
    return {
        "score": "deletion", "of": "images", "count": 4, "missing": 0, "headlines": ["probability"],
        "lower_is_better": ["probability"], "maps": {"": {"probability": number(value, above)}},
        "baselines": {"center": {"probability": number(0.4)}},
    }  # fmt: skip


SANITY = {
    "score": "sanity", "of": "images", "count": 4, "headlines": [], "flags": {"": ["target-insensitive"]},
    "maps": {"": {"target": {"value": 0.99, "low": None, "high": None}}},
}  # fmt: skip
REFUSED = {"score": "pointing", "refused": {"code": "no_region", "reason": "nobody knows"}}
NO_MAPS = {"score": "hiding_game", "refused": {"code": "no_maps", "reason": "gbp was refused (not_relu): SiLU"}}
CELLS = {
    "resnet34": {
        ("gradcam", "hiding_game"): game(0.8, 0.3),
        ("gradcam", "deletion"): deletion(0.3, -0.1),
        ("gradcam", "pointing"): REFUSED,
        ("gradcam", "sanity"): SANITY,
        ("gbp", "hiding_game"): game(0.51, 0.01),
    },
    "efficientnet_b1": {("gbp", "hiding_game"): NO_MAPS, ("gradcam", "hiding_game"): "ValueError: out of <luck>"},
}


def scored(study, found=CELLS, pairs=False):
    """The study with finished score stages in the cells that are named by their backbone."""
    record = json.loads((study.path / "plan.json").read_text())
    for cell in record["cells"]:
        for explainer in cell["config"].get("explainers", ()):
            explainer["pairs"] = 4 if pairs else 0
        for (method, score), result in found.get(cell["levels"]["backbone"], {}).items():
            label = f"score:{method}:{score}"
            id = digest([cell["id"], label])[:32]
            cell["stages"][label] = id
            stage = {"id": id, "stage": "score", "label": label, "state": "run", "reason": None, "needs": []}
            record["stages"].append({**stage, "cells": [cell["id"]]})
            attempt = study.ledger.begin("score", id, {"stage": "score"})
            if isinstance(result, str):
                attempt.fail(result, "", True)
                continue
            (attempt.path / "score.json").write_text(json.dumps(result))
            attempt.finish({}, {}, "s" * 64, ["score.json"])
    (study.path / "plan.json").write_text(json.dumps(record))
    return Study(study.path)


AXES = {"backbone": ["resnet34", "efficientnet_b1"]}


@pytest.fixture
def study(make_study):
    return scored(make_study(axes=AXES, pairs=60, images=2))


def board(study):
    found = explanation_scores(study, rows.table(study).rows)
    (table,) = tables(found)
    return found, table


def test_a_table_has_a_group_per_cell_with_baselines_first_and_methods_by_name(study):
    _, table = board(study)
    assert table.of == "images"
    assert [one.title for one in table.headings] == ["Hiding game AUC", "Deletion probability"]
    assert [one.lower_is_better for one in table.headings] == [False, True]
    first, second = table.groups
    assert [(line.title, line.baseline) for line in first.lines] == [("center", True), ("gbp", False), ("gradcam", False)]
    assert [line.title for line in second.lines] == ["gbp", "gradcam"]


def test_what_beats_the_center_is_marked_and_what_is_within_noise_is_not(study):
    _, table = board(study)
    _, gbp, gradcam = table.groups[0].lines
    assert gradcam.numbers["hiding_game", 0].beats
    assert gradcam.numbers["deletion", 0].beats  # less is better
    assert not gbp.numbers["hiding_game", 0].beats
    assert not beats_center(number(0.1, 0.1), lower_is_better=True)
    assert not beats_center(number(0.1), lower_is_better=False)
    assert not beats_center({"above": {"center": {"value": 3.0, "low": None, "high": None}}}, lower_is_better=False)


def test_maps_of_differences_beat_the_center_where_the_cosine_is_lowered(make_study):
    maps = {"S+": {"cosine": number(0.2, -0.1)}, "S-": {"cosine": number(0.8, 0.3)}}
    falls = {**deletion(0.3, -0.1), "of": "pairs", "headlines": ["cosine"], "maps": maps, "baselines": {}}
    falls |= {"lower_is_better": ["cosine"], "difference_maps": ["S-"]}
    rises = {**falls, "score": "insertion", "lower_is_better": []}
    other = {**falls, "headlines": ["distance"], "maps": {"S-": {"distance": number(0.8, 0.3)}}, "lower_is_better": []}
    found = {("corr_rise", "deletion"): falls, ("corr_rise", "insertion"): rises, ("corr_rise", "other"): other}
    _, table = board(scored(make_study(axes=AXES, pairs=60, images=2), {"resnet34": found}, pairs=True))
    common, difference = table.groups[0].lines
    assert [common.numbers[score, 0].beats for score in ("insertion", "deletion")] == [False, True]
    assert [difference.numbers[score, 0].beats for score in ("insertion", "deletion", "other")] == [False, True, True]
    text = scores_markdown([table], "x")
    assert "| corr\\_rise S+ | 0.200 [0.100, 0.300] | **0.200** [0.100, 0.300] |" in text
    assert "0.800 [0.700, 0.900] less is better | **0.800** [0.700, 0.900] more is better | **0.800** [0.700, 0.900] |" in text


def test_refusals_flags_and_failures_are_said(study):
    found, table = board(study)
    gradcam = table.groups[0].lines[2]
    assert gradcam.flags == ("target-insensitive",)
    assert gradcam.troubles == {"pointing": ("no_region", "no_region: nobody knows")}
    refused, failed = table.groups[1].lines
    assert "not_relu" in refused.refused
    assert failed.troubles["hiding_game"] == ("failed", "ValueError: out of <luck>")
    assert [one.state for one in found] == ["done", "done", "refused", "done", "done", "refused", "failed"]


def test_baselines_of_other_probes_get_lines_of_their_own(make_study):
    other = game(0.6, 0.0, missing=2, baselines={"center": {"auc": number(0.7)}})
    study = scored(
        make_study(axes=AXES, pairs=60, images=2), {"resnet34": {**CELLS["resnet34"], ("gbp", "hiding_game"): other}}
    )
    _, table = board(study)
    lines = table.groups[0].lines
    assert [line.title for line in lines] == ["center of gbp", "center of gradcam", "gbp", "gradcam"]
    assert [line.numbers["hiding_game", 0].value for line in lines[:2]] == [0.7, 0.5]
    assert lines[2].count == "4 of 6"


def test_maps_get_a_line_each_and_numbers_of_several_names_share_a_column(make_study):
    both = {**game(0.8, 0.3), "of": "pairs", "maps": {"S+": {"auc": number(0.8)}, "S-": {"auc": number(0.2)}}, "baselines": {}}
    mixed = {**deletion(0.1, 0.0), "headlines": ["cosine"], "maps": {"": {"cosine": number(0.9)}}, "baselines": {}}
    found = {("gradcam", "hiding_game"): both, ("gradcam", "deletion"): deletion(0.1, 0.0), ("gbp", "deletion"): mixed}
    study = scored(make_study(axes=AXES, pairs=60, images=2), {"resnet34": found}, pairs=True)
    read_, table = board(study)
    assert table.of == "pairs"
    assert [one.title for one in table.headings] == ["Hiding game AUC", "Deletion"]
    assert [line.title for line in table.groups[0].lines] == ["center", "gbp", "gradcam S+", "gradcam S-", "gradcam"]
    assert "0.900 [0.800, 1.000] cosine" in scores_markdown([table], "x")
    assert "'+" not in scores_csv(read_, ["backbone"])


def test_the_report_has_them_in_all_its_forms(study):
    page = build(study)
    folder = page.parent
    html, text = page.read_text(), (folder / "explanations.md").read_text()
    assert "Explanations, scored" in html
    assert '<b class="beats">0.800</b>' in html
    assert html.count("Hiding game, images.</b> Accuracy on 4 images.") == 1
    assert "out of &lt;luck&gt;" in html
    assert "| gradcam | **0.800** [0.700, 0.900] | **0.300** [0.200, 0.400] | target-insensitive | 4 |" in text
    assert "* gradcam, pointing: no\\_region: nobody knows" in text
    table = list(csv.DictReader(io.StringIO((folder / "explanations.csv").read_text())))
    (row,) = [one for one in table if (one["method"], one["number"], one["baseline"]) == ("gradcam", "auc", "")]
    assert (float(row["value"]), float(row["above_center_low"]), row["count"]) == (0.8, 0.3 - 0.02, "4")
    assert {one["state"] for one in table} == {"done", "refused", "failed"}
    said = json.loads((folder / "report.json").read_text())["explanations"]
    assert said == scores_json(explanation_scores(study, rows.table(study).rows))
    assert said[0]["maps"][""]["auc"]["value"] == 0.8
    assert "details" not in said[0]


def test_a_study_without_scores_has_no_such_section_and_no_such_files(make_study):
    page = build(make_study(axes=AXES, protocols=(), images=2))
    assert "Explanations, scored" not in page.read_text()
    assert not list(page.parent.glob("explanations.*"))


# -- MLflow


def test_scores_are_metrics_under_stable_names():
    def logged(explainer, score, result):
        label = StageName("score", explainer, score)
        return {point.key: point.value for point in finals(Finished(label, {}, ["score.json"], Path, lambda name: result), 3.0)}

    both = {**game(0.8, 0.3), "maps": {"S+": {"auc": number(0.8)}, "S-": {"auc": number(0.2)}}}
    found = logged("gradcam", "hiding_game", game(0.8, 0.3))
    assert found["explanations/gradcam.hiding_game.auc"] == 0.8
    assert {"explanations/corr_rise.hiding_game.S_plus.auc", "explanations/corr_rise.hiding_game.S_minus.auc"} <= logged(
        "corr_rise", "hiding_game", both
    ).keys()
    assert logged("gradcam", "pointing", REFUSED) == {}


def test_files_and_tags_of_scores(study, tmp_path):
    cell = study.cells[0]
    said = {}
    for label, marker in cell.markers.items():
        if label.startswith("score:"):
            said |= stage_files(study.ledger, label, marker, tmp_path)
    assert said == {
        "facegrid.flags.gradcam.sanity": "target-insensitive",
        "facegrid.refused.gradcam.pointing": "no_region: nobody knows",
    }
    assert json.loads((tmp_path / "explanations" / "gradcam" / "hiding_game.json").read_text()) == game(0.8, 0.3)


def test_pairs_of_a_protocol_that_an_explainer_names_have_a_table_of_their_own(make_study):
    found = {("gradcam", "hiding_game"): game(0.8, 0.3), ("gbp", "hiding_game"): game(0.7, 0.2)}
    study = scored(make_study(axes=AXES, pairs=60, images=2), {"resnet34": found}, pairs=True)
    everything = rows.table(study).rows
    for row in everything:
        next(one for one in row.cell.config["explainers"] if one["name"] == "gradcam")["protocol"] = "masked"
    plain, named = tables(explanation_scores(study, everything))
    assert (plain.of, named.of) == ("pairs", "pairs of masked")
    assert [[line.method for line in table.groups[0].lines if not line.baseline] for table in (plain, named)] == [
        ["gbp"],
        ["gradcam"],
    ]

"""Links in descriptions: the report, and the publications of the grid."""

import json
from typing import Any

from mlflow_runs import Make, runs

from grid.report.build import build
from grid.tracking.links import links
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

SOURCES = [
    {"title": "A [first] paper", "authors": "Ada, Bob", "url": "https://example.org/1"},
    {"title": "Another paper", "authors": "", "url": None},
]
OPTIONS: dict[str, Any] = {"axes": {"detection": ["none"], "replicate": ["0", "1"]}, "pairs": 40, "explainers": (), "epochs": 1}
PAPERS = "Sources: Ada, Bob: [A (first) paper](https://example.org/1); Another paper."


def test_every_description_links_the_report_and_the_papers(new_study: Make) -> None:
    study = new_study(**OPTIONS, sources=SOURCES)
    build(study)
    found = sync_pass(study.path, report=True)
    assert (found.problems, found.said) == ([], [])
    client = connect(tracking_of(study))
    notes = [run.data.tags["mlflow.note.content"] for run in runs(study).values() if run.info.run_id != found.report]
    notes.append(client.get_experiment(found.experiment_id).tags["mlflow.note.content"])
    assert len(notes) == 4
    page = f"#/experiments/{found.experiment_id}/runs/{found.report}/artifacts/report/index.html?workflowType=machine_learning"
    for note in notes:
        assert f"[Tables and figures]({page}) of the study. {PAPERS}" in note
    assert client.download_artifacts(found.report, "report/index.html")
    assert sync_pass(study.path, report=True).writes == 0


def test_a_study_without_report_and_papers_has_no_links(make_study: Make) -> None:
    study = make_study(**OPTIONS)
    assert links(study, None) == []
    assert links(study, "#/x") == ["", "[Tables and figures](#/x) of the study."]


def test_the_report_names_the_papers(make_study: Make) -> None:
    study = make_study(**OPTIONS, sources=SOURCES)
    build(study)
    page = (study.path / "report" / "index.html").read_text()
    assert 'Sources: Ada, Bob: <a href="https://example.org/1" rel="noreferrer">A [first] paper</a>; Another paper.' in page
    assert json.loads((study.path / "report" / "report.json").read_text())["sources"] == SOURCES

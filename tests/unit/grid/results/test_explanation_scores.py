"""Which explanation scores a study has, finished or not."""

import json
from dataclasses import replace

from grid.ledger.study import Study, write_record
from grid.results import rows
from grid.results.explanation_scores import explained_images, explanation_scores

DONE = {"score": "sanity", "of": "images", "count": 2, "maps": {"": {"correlation": {"value": 0.25}}}}


def with_scores(study, *names):
    """The study with scores of its gradcam explanation, none of which has run."""
    record = json.loads((study.path / "plan.json").read_text())
    for cell in record["cells"]:
        for number, name in enumerate(names):
            id = f"{cell['id'][:30]}{number:02d}"
            cell["stages"][f"score:gradcam:{name}"] = id
            stage = {"id": id, "stage": "score", "label": f"score:gradcam:{name}", "state": "run", "reason": None}
            record["stages"].append({**stage, "needs": [], "cells": [cell["id"]]})
    write_record(study.path, record)
    return Study(study.path)


def finish(study, cell, name, result):
    id = cell.stages[f"score:gradcam:{name}"]
    attempt = study.ledger.begin("score", id, {"stage": "score"})
    (attempt.path / "score.json").write_text(json.dumps(result))
    attempt.finish({}, {}, "s" * 64, ["score.json"])


def test_finished_refused_failed_and_unfinished_scores(make_study):
    study = with_scores(make_study(axes={"backbone": ["alexnet"]}, explainers=("gradcam",), pairs=60), "a", "b", "c", "d")
    (cell,) = study.cells
    finish(study, cell, "a", DONE)
    finish(study, cell, "b", {"score": "sanity", "refused": {"code": "signed", "reason": "two signs"}})
    study.ledger.begin("score", cell.stages["score:gradcam:c"], {"stage": "score"}).fail("no memory", "", True)
    study = Study(study.path)
    found = {one.score: one for one in explanation_scores(study, rows.table(study).rows)}
    assert {name: (one.state, one.reason) for name, one in found.items()} == {
        "a": ("done", None),
        "b": ("refused", "signed: two signs"),
        "c": ("failed", "no memory"),
        "d": ("unfinished", "still to run"),
    }
    assert found["a"].result == DONE
    assert found["c"].result is None
    assert {one.method for one in found.values()} == {"gradcam"}
    assert {one.of for one in found.values()} == {"images"}
    assert len(explained_images(study, found["a"])) == 4
    row = rows.table(study).rows[0]
    lost = replace(found["a"], row=replace(row, markers={}))
    assert explained_images(study, lost) == []


def test_the_numbers_are_in_the_long_table_too(make_study):
    study = with_scores(make_study(axes={"backbone": ["alexnet"]}, explainers=("gradcam",), pairs=60), "a")
    finish(study, study.cells[0], "a", DONE)
    study = Study(study.path)
    (line,) = (one for one in rows.table(study).rows[0].results if one.metric == "a:correlation")
    assert (line.value, line.explainer, line.map, line.stage, line.n) == (0.25, "gradcam", "", "score", 2)

"""Contact sheets of clusterings in the report."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from grid.evaluation.cluster_faces import save_faces
from grid.ledger.study import Study
from grid.report.build import build
from grid.report.cluster_sheets import cluster_sheets
from grid.report.panel import IMPOSTOR
from grid.results import rows


@pytest.fixture
def study(make_study):
    """One cell whose single protocol was a clustering of 30 images of 3 subjects, with one image in a wrong cluster."""
    found = make_study(axes={"backbone": ["alexnet"]}, protocols=(), explainers=())
    subjects = np.repeat(np.arange(3), 10)
    groups = subjects.copy()
    groups[0] = 2
    units = np.eye(3)[groups] + 0.01 * np.random.default_rng(0).normal(size=(30, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    attempt = found.ledger.begin("evaluate", "c" * 32, {"stage": "evaluate"})
    names = save_faces(groups, subjects, units, lambda row: np.full((112, 96, 3), 80, np.uint8), attempt.path)
    entry = {"value": 0.9, "precision": 0.9, "recall": 0.9}
    metrics = {"task": "clustering", "pairwise": {"average linkage": entry}, "bcubed": {"average linkage": entry}}
    (attempt.path / "metrics.json").write_text(json.dumps(metrics))
    attempt.finish({}, {}, "s" * 64, ["metrics.json", *names])
    record = json.loads((found.path / "plan.json").read_text())
    cell = record["cells"][0]
    cell["stages"]["evaluate:faces"] = "c" * 32
    record["stages"].append(
        {"id": "c" * 32, "stage": "evaluate", "label": "evaluate:faces", "state": "done", "needs": [], "cells": [cell["id"]]}
    )
    (found.path / "plan.json").write_text(json.dumps(record))
    return Study(found.path)


def test_a_sheet_has_a_row_per_cluster_and_frames_the_face_of_another_subject(study):
    found = cluster_sheets(study, rows.table(study).rows)
    made = found.files
    assert found.left_out == 0
    assert list(made) == ["clusters-alexnet-faces.png"]
    pixels = np.array(Image.open(io.BytesIO(made["clusters-alexnet-faces.png"])).convert("RGB")).astype(int)
    red = (pixels == IMPOSTOR).all(axis=2)
    assert red.sum() == 112**2 - 104**2  # the frame of one tile
    # the largest cluster, with 11 images, is the first row
    assert np.flatnonzero(red.any(axis=1)).max() < pixels.shape[0] / 2


def test_it_is_in_the_report_and_not_without_faces(study):
    page = build(study)
    assert 'id="clusters"' in page.read_text()
    assert "only the scores" not in page.read_text()
    (inline,) = re.findall(r'largest clusters of a cell" src="data:image/jpeg;base64,([^"]+)"', page.read_text())
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(inline)))).astype(int)
    original = np.array(Image.open(page.parent / "clusters-alexnet-faces.png").convert("RGB")).astype(int)
    assert np.abs(shown - original).mean() < 8
    assert (page.parent / "clusters-alexnet-faces.png").is_file()
    page = build(Study(study.path, faces=False))
    assert 'id="clusters"' not in page.read_text()
    assert not (page.parent / "clusters-alexnet-faces.png").exists()


@pytest.mark.parametrize(("cells", "said"), [(2, "1 more cell with a clustering, later in the plan, has"), (3, "2 more cells")])
def test_cells_without_a_sheet_are_counted_in_the_page(study, monkeypatch, cells, said):
    record = json.loads((study.path / "plan.json").read_text())
    record["cells"] = [{**record["cells"][0], "id": str(number) * 32} for number in range(cells)]
    (study.path / "plan.json").write_text(json.dumps(record))
    monkeypatch.setattr("grid.report.cluster_sheets.CELLS", 1)
    page = build(Study(study.path)).read_text()
    assert said in page
    assert page.count('<figure class="clusters">') == 1

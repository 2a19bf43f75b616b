"""Pictures of stages on the page: all of them with faces, only anonymous ones without, and none beyond the budget."""

import base64
import json
from dataclasses import replace

import pytest

from grid.ledger.study import Study
from grid.report.build import build
from grid.report.stage_pictures import galleries
from grid.results import rows
from grid.spec.stage_kind import StageName

LATENT = StageName("latent", "near")


@pytest.fixture
def pictured(make_study):
    """A study, and its table with a latent stage in the first cell only."""
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=())
    attempt = study.ledger.begin("latent", "a" * 32, {"stage": "latent"})
    files = {
        "maps.png": b"scatter",
        "gallery.png": b"faces",
        "interpolation-linear.gif": b"moving pictures",
        "result.json": b"{}",
    }
    for name, data in files.items():
        (attempt.path / name).write_bytes(data)
    marker = attempt.finish({}, {}, "s" * 64, list(files))
    table = rows.table(study)
    row = table.rows[0]
    cell = replace(row.cell, stages={**row.cell.stages, LATENT: "a" * 32})
    first = replace(row, cell=cell, markers={**row.markers, LATENT: marker})
    return study, replace(table, rows=(first, *table.rows[1:]))


def test_each_picture_is_embedded_for_the_cell_that_made_it(pictured):
    study, table = pictured
    (found,) = galleries(study, table.rows)
    assert found.label == "latent:near"
    assert found.left_out == 0
    ((row, pictures),) = found.cells
    assert row is table.rows[0]
    assert [one.name for one in pictures] == ["gallery", "interpolation-linear, animated", "maps"]
    kind, _, data = pictures[1].source.partition(";base64,")
    assert (kind, base64.b64decode(data)) == ("data:image/gif", b"moving pictures")


def test_without_faces_only_the_maps_are_left(pictured):
    study, table = pictured
    (found,) = galleries(Study(study.path, faces=False), table.rows)
    assert [one.name for one in found.cells[0][1]] == ["maps"]


def test_pictures_beyond_the_budget_are_counted(pictured):
    study, table = pictured
    (found,) = galleries(study, table.rows, budget=len(b"faces") + len(b"scatter"))
    assert [one.name for one in found.cells[0][1]] == ["gallery", "maps"]
    assert found.left_out == 1


def test_the_page_shows_them_under_a_heading_of_their_own(pictured):
    study, _ = pictured
    assert "Pictures:" not in build(study).read_text(encoding="utf-8")
    record = json.loads((study.path / "plan.json").read_text())
    record["cells"][0]["stages"][str(LATENT)] = "a" * 32
    record["stages"].append({"id": "a" * 32, "stage": "latent", "label": str(LATENT), "cells": [record["cells"][0]["id"]]})
    (study.path / "plan.json").write_text(json.dumps(record))
    text = build(Study(study.path)).read_text(encoding="utf-8")
    assert "Pictures: latent:near" in text
    assert base64.b64encode(b"scatter").decode() in text
    assert 'href="#pictures-1"' in text

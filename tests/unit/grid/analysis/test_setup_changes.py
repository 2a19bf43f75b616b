"""What differs between two studies before any result."""

import json
from dataclasses import replace

from grid.analysis.setup_changes import setup_changes, shared_cells
from grid.ledger.sealed import seal
from grid.ledger.study import Study

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"]}


def changed(study, change):
    file = study.path / "plan.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    return Study(study.path)


def of_kind(found, kind):
    return [(one.what, one.first, one.second, one.cells, one.of) for one in found if one.kind == kind]


def test_equal_studies_do_not_differ(make_study):
    one, other = (make_study(name, axes=AXES, pairs=60, explainers=()) for name in ("a", "b"))
    assert setup_changes(one, other, shared_cells(one, other)) == []


def test_settings_are_counted_over_the_cells_that_have_them(make_study):
    one, other = (make_study(name, axes=AXES, pairs=60, explainers=()) for name in ("a", "b"))

    def change(record):
        record["revision"] = "f" * 40
        for cell in record["cells"]:
            cell["config"]["recipe"]["lr"] = 0.1
            if cell["levels"]["backbone"] == "alexnet":
                cell["config"]["loss"] = {"name": "arcface", "margin": 0.3}

    other = changed(other, change)
    found = setup_changes(one, other, shared_cells(one, other))
    assert sorted(of_kind(found, "settings")) == [
        ("loss.margin", "not set", "0.3", 2, 4),
        ("loss.name", "softmax", "arcface", 2, 4),
        ("recipe.lr", "0.05", "0.1", 4, 4),
    ]
    assert of_kind(found, "version") == [("revision", "0123456789abc", "f" * 13, None, None)]


def test_levels_and_cells_of_one_study_alone_are_named(make_study):
    one = make_study("a", axes=AXES, pairs=60, explainers=())
    other = make_study("b", axes={**AXES, "backbone": ["alexnet", "vgg16"], "seed": ["1"]}, pairs=60, explainers=())
    shared = shared_cells(one, other)
    assert [dict(levels) for levels in shared] == [{"backbone": "alexnet", "detection": level} for level in ("none", "mtcnn")]
    assert of_kind(setup_changes(one, other, shared), "cells") == [
        ("levels of backbone", "alexnet, resnet34", "alexnet, vgg16", None, None),
        ("levels of seed", "no such axis", "1", None, None),
        ("cells (2 in both)", "4", "4", None, None),
    ]


def test_data_and_code_are_told_apart(make_study):
    one, other = (make_study(name, axes=AXES, pairs=60, explainers=()) for name in ("a", "b"))
    identities = {one.path: {"images": "1" * 64, "lr": 1}, other.path: {"images": "2" * 64, "lr": 2}}
    for study in (one, other):
        for cell in study.cells:
            marker = cell.markers["train"]
            file = study.path / "store" / "train" / marker.id / "identity.json"
            file.unlink()
            file.write_bytes(seal(identities[study.path]))
    found = setup_changes(one, other, shared_cells(one, other))
    assert of_kind(found, "data") == [("train: images", "1" * 12, "2" * 12, 4, 4)]
    assert of_kind(found, "code") == []
    pairs = {key: (cell, replace(cell, markers={"train": replace(cell.markers["train"], source="z" * 64)}))
             for key, cell in ((tuple(cell.levels.items()), cell) for cell in one.cells)}  # fmt: skip
    assert of_kind(setup_changes(one, one, pairs), "code") == [("train", "s" * 12, "z" * 12, 4, 4)]

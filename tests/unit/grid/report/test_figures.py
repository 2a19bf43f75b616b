import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from grid.report import figures as drawn
from grid.report import pair_sheets
from grid.report.cell_sheets import by_probes, cell_panel, of_cell
from grid.report.figures import figures, file_name
from grid.report.pair_sheets import by_outcome, pair_panel
from grid.report.panel import APART, GAP, TILE, Group, places
from grid.report.theta_png import theta_png
from grid.results import explanation_reader, rows
from grid.results.decisions import Decisions
from grid.results.heatmap import Scale

TITLES = ("gradcam", "gbp", "reconstruction", "pair_occlusion")


@pytest.fixture
def study(make_study):
    return make_study(axes={"backbone": ["alexnet", "efficientnet_b1"]}, pairs=60, images=3, explainers=TITLES)


@pytest.fixture
def row(study):
    return rows.table(study).rows[1]


def work(study, row, title):
    return next(one for one in of_cell(study, row) if one.title == title)


def test_each_cell_has_the_sheets_that_it_has_material_for(study):
    made, without = figures(study, rows.table(study).rows)
    assert without == 0
    assert list(made) == [
        f"{kind}-{cell}{rest}.png"
        for cell in ("alexnet", "efficientnet_b1")
        for kind, rest in (("cell", ""), ("pairs", ""), ("maps", "-reconstruction"), ("theta", "-pair_occlusion"))
    ]
    again, _ = figures(study, rows.table(study).rows)
    assert again == made
    assert all(Image.open(io.BytesIO(data)).width > 700 for data in made.values())


def test_one_explainer_alone_has_no_sheet_of_methods(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("gradcam",))
    assert figures(study, rows.table(study).rows) == ({}, 0)


def test_cells_beyond_the_limit_have_none_and_are_counted(study, monkeypatch):
    monkeypatch.setattr(drawn, "CELLS", 1)
    made, without = figures(study, rows.table(study).rows)
    assert without == 1
    assert not any("efficientnet" in name for name in made)


def test_names_of_files_are_plain_and_differ():
    assert file_name("cell", "a b/c", []) == "cell-a-b-c.png"
    assert file_name("cell", "A/B", ["cell-a-b.png"]) == "cell-A-B-2.png"
    assert file_name("cell", "A-B", ["cell-a-b.png", "cell-A-B-2.png"]) == "cell-A-B-3.png"
    assert file_name("sheet", "..", []) == "sheet-explainer.png"


def test_methods_are_rows_and_images_columns_each_row_with_its_own_scale(study, row):
    panel = cell_panel(study, row, of_cell(study, row), False)
    assert [band.label.splitlines()[0] for band in panel.bands] == ["input", "gradcam", "gbp"]
    inputs, gradcam, refused = panel.bands
    maps = work(study, row, "gradcam").maps("")
    assert inputs.scale is None
    assert gradcam.scale == Scale(0.0, float(maps.max()), False)
    assert gradcam.tiles.shape == (3, TILE, TILE, 3)
    assert refused.tiles is None
    assert "SiLU" in refused.refused
    assert [group.text for group in panel.groups] == ["subject_0", "subject_1", "subject_2"]


def test_methods_are_rows_and_pairs_columns_with_the_cosine_beneath(study, row):
    panel = cell_panel(study, row, of_cell(study, row), True)
    labels = [band.label.splitlines()[0] for band in panel.bands]
    assert labels == [
        "input", "reconstruction S", "reconstruction S+", "reconstruction S-", "pair_occlusion delta",
        "pair_occlusion normalized",
    ]  # fmt: skip
    assert [(group.span, group.mark) for group in panel.groups] == [(2, True), (2, True), (2, False)]
    assert panel.bands[0].feet == ("cosine 0.900", "cosine 0.800", "cosine 0.700")
    assert all(band.tiles.shape == (6, TILE, TILE, 3) for band in panel.bands)


def test_pair_by_pair_all_maps_share_the_scale_of_their_row(study, row):
    one = work(study, row, "reconstruction")
    panel = pair_panel(study, row, one)
    assert [(group.text, group.span) for group in panel.groups] == [("pair", 2), ("S", 2), ("S+", 2), ("S-", 2)]
    assert [band.mark for band in panel.bands] == [True, True, False]
    for pair, band in enumerate(panel.bands):
        assert band.tiles.shape == (8, TILE, TILE, 3)
        highest = max(float(one.maps(name)[2 * pair : 2 * pair + 2].max()) for name in ("S", "S+", "S-"))
        assert band.scale == Scale(0.0, highest, False)
    assert panel.bands[2].label.splitlines()[0] == "pair 2: impostor"


def test_pairs_with_a_threshold_are_shown_by_outcome(study, row, monkeypatch):
    decided = Decisions("lfw view 2", 0.75, ("true accept", "false reject", "true reject"))
    monkeypatch.setattr(pair_sheets, "decisions", lambda *_: decided)
    monkeypatch.setattr(pair_sheets, "PAIRS", 4)
    panel = pair_panel(study, row, work(study, row, "reconstruction"))
    assert [band.label.splitlines()[0] for band in panel.bands] == [
        "pair 0: genuine, true accept",
        "pair 1: genuine, false reject",
    ]
    assert "accepted from 0.750, the best threshold of lfw view 2; 1 more pairs not shown" in panel.caption


def test_every_outcome_gets_its_turn():
    outcomes = ["true accept"] * 5 + ["false accept"] + ["true reject"] * 4
    columns = [("key", pair, side) for pair in range(10) for side in ("left", "right")]
    assert [pair for _, pair, side in by_outcome(columns, outcomes, 10) if side == "left"] == [0, 1, 6, 7, 5]
    assert len(by_outcome(columns, outcomes, 100)) == 20


def test_maps_of_different_kinds_share_no_scale_and_get_no_such_sheet(study, row):
    assert pair_panel(study, row, work(study, row, "pair_occlusion")) is None


def test_pairs_stand_apart_and_their_images_do_not():
    lefts = places([Group("", 2), Group("", 2)], 4)
    assert np.diff(lefts).tolist() == [TILE + GAP, TILE + GAP + APART, TILE + GAP]
    assert np.diff(places([Group("", 1)] * 3, 3)).tolist() == [TILE + GAP] * 2


def test_without_theta_there_is_no_image_of_it(study, row):
    assert theta_png(study, row, work(study, row, "reconstruction")) is None
    one = work(study, row, "pair_occlusion")
    whole = Image.open(io.BytesIO(theta_png(study, row, one)))
    less = {**one.manifest, "maps": [entry for entry in one.manifest["maps"] if entry["name"] != "normalized"]}
    charts = theta_png(study, row, explanation_reader.Explained(one.ledger, one.marker, one.title, less))
    assert Image.open(io.BytesIO(charts)).height < whole.height  # the charts alone


def test_explainers_of_other_pairs_stand_apart_and_one_of_fewer_pairs_does_not():
    def one(title, *pairs):
        return SimpleNamespace(title=title, places={("key", pair, "left"): pair for pair in pairs})

    masked = [("masked", 0), ("masked", 1)]
    some = [one("a", 0, 1, 2), one("b", 1), SimpleNamespace(title="m", places=dict.fromkeys(masked, 0)), one("refused")]
    assert [[each.title for each in together] for together in by_probes(some)] == [["a", "b", "refused"], ["m"]]


def test_a_refused_pair_keeps_its_reason_where_some_pairs_are_left_out(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=24, explainers=("reconstruction",))
    row = rows.table(study).rows[0]
    one = work(study, row, "reconstruction")
    one.manifest["notes"]["refused_pairs"] = [{"pair": 12, "code": "impostor_pair", "reason": "two subjects"}]
    labels = [band.label for band in pair_panel(study, row, one).bands]
    assert [label.splitlines()[0] for label in labels if "impostor_pair: two subjects" in label] == ["pair 12: impostor"]

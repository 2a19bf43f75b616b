import io

import numpy as np
import pytest
from PIL import Image

from grid.report import sheets
from grid.report.build import build
from grid.report.sheet_png import groups, sheet_png
from grid.results import explanation_reader, heatmap, rows
from grid.results.heatmap import Scale


@pytest.fixture
def study(make_study):
    return make_study(pairs=60, images=3, failed=[{"backbone": "alexnet", "detection": "none", "pretraining": "none"}])


def test_a_sheet_per_explainer_with_a_strip_per_finished_cell(study):
    gradcam, gbp = sheets.sheets(study, rows.table(study).rows)
    assert (gradcam.title, gbp.title) == ("gradcam", "gbp")
    assert len(gradcam.strips) == len(gbp.strips) == 11
    assert gradcam.without == ("backbone=alexnet, detection=none, pretraining=none",)
    assert all(strip.tiles.shape == (3, sheets.TILE, sheets.TILE, 3) for strip in gradcam.strips)


def test_a_refused_cell_has_its_reason_and_no_image(study):
    _, gbp = sheets.sheets(study, rows.table(study).rows)
    refused = [strip for strip in gbp.strips if strip.tiles is None]
    assert {strip.row.cell.levels["backbone"] for strip in refused} == {"efficientnet_b1"}
    assert all("SiLU" in strip.refused for strip in refused)


def test_cells_with_the_same_crops_share_one_row_of_inputs(study):
    gradcam, _ = sheets.sheets(study, rows.table(study).rows)
    assert [inputs.label for inputs in gradcam.inputs] == ["detection=none", "detection=mtcnn"]


def test_unsigned_maps_of_images_have_their_own_scales(study):
    gradcam, _ = sheets.sheets(study, rows.table(study).rows)
    for strip in gradcam.strips:
        maps = np.load(study.ledger.path(strip.row.markers["explain:gradcam"], "maps.npy"))
        assert strip.scale is None
        assert strip.highest == pytest.approx(tuple(maps.max(axis=(1, 2))))
    weak = np.load(study.ledger.path(gradcam.strips[0].row.markers["explain:gradcam"], "maps.npy"))[0]
    crop = gradcam.inputs[0].tiles[0]
    alone = heatmap.tile(crop, weak, Scale.of(weak, signed=False), sheets.TILE)
    assert np.array_equal(gradcam.strips[0].tiles[0], alone)


def test_a_sheet_of_pairs_shows_whole_pairs_of_both_kinds_and_says_which(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=8, explainers=("reconstruction",))
    sheet, *others = sheets.sheets(study, rows.table(study).rows)
    assert [sheet.title, *(other.title for other in others)] == ["reconstruction S", "reconstruction S+", "reconstruction S-"]
    assert [image["pair"] for image in sheet.images] == [0, 0, 1, 1, 2, 2, 4, 4, 5, 5]
    assert [image["side"] for image in sheet.images[:2]] == ["left", "right"]
    assert (sheet.left_out, sheet.strips[0].cosines) == (6, pytest.approx((0.9, 0.8, 0.7, 0.5, 0.4)))
    marks = [(group.text, group.span, group.mark) for group in groups(sheet.images)]
    assert marks[0] == ("pair 0: genuine", 2, True)
    assert marks[-1] == ("pair 5: impostor", 2, False)


def test_pairs_fill_up_with_the_kind_that_is_there():
    keys = {(f"{n}", n // 2, ("left", "right")[n % 2]): {"pair": n // 2, "same": n // 2 < 5} for n in range(12)}
    assert [key[1] for key in sheets.chosen(keys, 8)[::2]] == [0, 1, 2, 5]
    assert [key[1] for key in sheets.chosen(dict(list(keys.items())[:8]), 6)[::2]] == [0, 1, 2]
    assert [key[1] for key in sheets.chosen(dict(list(keys.items())[8:]), 6)[::2]] == [4, 5]


def test_a_pair_that_the_method_refuses_stays_gray(make_study, monkeypatch):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("reconstruction",))
    row = rows.table(study).rows[0]
    one = explanation_reader.read(study.ledger, "reconstruction", row.markers["explain:reconstruction"])
    one.manifest["notes"]["refused_pairs"] = [{"pair": 1, "code": "impostor_pair", "reason": "not the same subject"}]
    tiles, _ = sheets.tiles_of(one, "S", [explanation_reader.column(image) for image in one.images])
    assert [len(np.unique(tile.reshape(-1, 3)[: -16 * sheets.TILE], axis=0)) == 1 for tile in tiles] == [
        False,
        False,
        True,
        True,
    ]


def test_a_crop_that_another_cell_has_not_leaves_a_gap(make_study, monkeypatch):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, images=2, explainers=("gradcam",))
    read = study.ledger.json

    def with_another_key(marker, name):
        found = read(marker, name)
        if marker.kind == "explain" and marker.id == study.cells[1].stages["explain:gradcam"]:
            found["images"][0]["key"] = "else.jpg"
        return found

    monkeypatch.setattr(study.ledger, "json", with_another_key)
    (sheet,) = sheets.sheets(study, rows.table(study).rows)
    assert [image["key"] for image in sheet.images] == [
        "subject_0/subject_0_0001.jpg",
        "subject_1/subject_1_0001.jpg",
        "else.jpg",
    ]
    assert (sheet.strips[0].tiles[2] == 200).all()
    assert (sheet.strips[1].tiles[0] == 200).all()


def test_the_image_is_a_png_and_its_bytes_repeat(study):
    gradcam, gbp = sheets.sheets(study, rows.table(study).rows)
    first = sheet_png(gradcam, study.name)
    assert first == sheet_png(gradcam, study.name)
    tall, short = (Image.open(io.BytesIO(data)).height for data in (first, sheet_png(gbp, study.name)))
    assert short < tall  # refused cells take less room


def test_more_images_than_fit_are_counted(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=sheets.MOST + 2, explainers=("gradcam",))
    (sheet,) = sheets.sheets(study, rows.table(study).rows)
    assert (len(sheet.images), sheet.left_out) == (sheets.MOST, 2)


def test_images_of_a_methods_own_stand_there_as_they_are_and_without_a_scale(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("activation_maximization", "gradcam"))
    row = rows.table(study).rows[0]
    label = "explain:activation_maximization"
    one = explanation_reader.read(study.ledger, "activation_maximization", row.markers[label])
    tiles, scale = sheets.tiles_of(one, "", list(one.places))
    assert scale is None
    assert np.array_equal(tiles, np.stack([heatmap.resized(canvas, sheets.TILE) for canvas in one.shown()]))
    sheet, _ = sheets.sheets(study, rows.table(study).rows)
    assert sheet.strips[0].scale is None
    assert Image.open(io.BytesIO(sheet_png(sheet, "study"))).width > 700


def test_the_page_says_whether_each_map_or_each_row_has_a_scale(make_study):
    page = build(
        make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=2, explainers=("gradcam", "reconstruction"))
    ).read_text()
    notes = [section.split("</p>")[0] for section in page.split("Where the networks look: ")[1:]]
    assert len(notes) > 1
    for note in notes:
        assert ("Each map is shown from 0 to its own highest value" in note) == note.startswith("gradcam")
        assert ("One scale per row" in note) == note.startswith("reconstruction")

import io

import numpy as np
import pytest
from PIL import Image

from grid.report import rows, sheets
from grid.report.sheet_png import sheet_png


@pytest.fixture
def study(make_study):
    return make_study(pairs=60, images=3, failed=[{"backbone": "alexnet", "detection": "none", "pretraining": "none"}])


def test_a_sheet_per_explainer_with_a_strip_per_finished_cell(study):
    gradcam, gbp = sheets.sheets(study, rows.table(study).rows)
    assert (gradcam.title, gbp.title) == ("gradcam", "gbp")
    assert len(gradcam.strips) == len(gbp.strips) == 11
    assert gradcam.without == ("backbone=alexnet, detection=none, pretraining=none",)
    assert all(strip.tiles.shape == (3, sheets.TILE, sheets.TILE, 3) for strip in gradcam.strips)


def test_a_refused_cell_has_its_reason_and_no_picture(study):
    _, gbp = sheets.sheets(study, rows.table(study).rows)
    refused = [strip for strip in gbp.strips if strip.tiles is None]
    assert {strip.row.cell.levels["backbone"] for strip in refused} == {"efficientnet_b1"}
    assert all("SiLU" in strip.refused for strip in refused)


def test_cells_with_the_same_crops_share_one_row_of_inputs(study):
    gradcam, _ = sheets.sheets(study, rows.table(study).rows)
    assert [inputs.label for inputs in gradcam.inputs] == ["detection=none", "detection=mtcnn"]


def test_the_scale_of_a_row_ends_at_its_highest_raw_value(study):
    gradcam, _ = sheets.sheets(study, rows.table(study).rows)
    for strip in gradcam.strips:
        maps = np.load(study.ledger.path(strip.row.markers["explain:gradcam"], "maps.npy"))
        assert (strip.low, strip.high, strip.signed) == (0.0, float(maps.max()), False)


def test_signed_maps_diverge_around_zero():
    maps = np.array([[[-2.0, 1.0], [0.0, 1.0]]], np.float32)
    crops = np.full((1, 8, 8, 3), 128, np.uint8)
    strip = sheets._strip(None, crops, maps, [0])
    assert (strip.low, strip.high, strip.signed) == (-2.0, 2.0, True)


def test_a_map_of_zeros_shows_the_face_and_no_nan():
    crop = np.full((8, 8, 3), 128, np.uint8)
    found = sheets.overlaid(crop, np.zeros((2, 2), np.float32), 0.0, 0.0)
    assert len(np.unique(found.reshape(-1, 3), axis=0)) == 1


def test_a_map_of_zeros_says_so_and_a_weak_map_does_not():
    crops = np.full((2, sheets.TILE, sheets.TILE, 3), 128, np.uint8)
    maps = np.zeros((3, 4, 4), np.float32)
    maps[1, 2, 2], maps[2, 1, 1] = 1e-6, 1.0
    nothing, weak = sheets._strip(None, crops, maps, [0, 1]).tiles
    assert weak.std() < 1 < nothing[-16:].std()
    assert np.array_equal(nothing[:-16], weak[:-16])


def test_the_colour_is_brightest_where_the_map_is_highest():
    raw = np.zeros((4, 4), np.float32)
    raw[0, 3] = 1
    found = sheets.overlaid(np.full((64, 64, 3), 90, np.uint8), raw, 0.0, 1.0).sum(axis=2)
    assert np.unravel_index(found.argmax(), found.shape)[0] < 16
    assert np.unravel_index(found.argmax(), found.shape)[1] >= 48


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
    assert [image["key"] for image in sheet.images] == ["person_0/person_0_0001.jpg", "person_1/person_1_0001.jpg", "else.jpg"]
    assert (sheet.strips[0].tiles[2] == 200).all()
    assert (sheet.strips[1].tiles[0] == 200).all()


def test_the_picture_is_a_png_and_its_bytes_repeat(study):
    gradcam, gbp = sheets.sheets(study, rows.table(study).rows)
    first = sheet_png(gradcam, study.name)
    assert first == sheet_png(gradcam, study.name)
    tall, short = (Image.open(io.BytesIO(data)).height for data in (first, sheet_png(gbp, study.name)))
    assert short < tall  # refused cells take less room


def test_more_images_than_fit_are_counted(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, images=sheets.MOST + 2, explainers=("gradcam",))
    (sheet,) = sheets.sheets(study, rows.table(study).rows)
    assert (len(sheet.images), sheet.left_out) == (sheets.MOST, 2)

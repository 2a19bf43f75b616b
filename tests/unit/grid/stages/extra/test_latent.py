"""The latent stage of a tiny cell: its files, and the decoder it uses."""

import csv
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small import write

from grid.plan.plan import make_plan
from grid.spec.finished import Finished
from grid.spec.grid_file import BadInput, read
from grid.spec.stage_kind import stage_kind

BASE = {"recipe": {"name": "one_cycle", "epochs": 1}}
JOINT = {**BASE, "reconstruction": {"decoder": {"name": "unet", "width": 4}}}


def test_each_output_is_a_picture_or_table_that_can_be_read(studied_cell: Any) -> None:
    marker = studied_cell.marker("latent")
    paths = ("linear", "spherical")
    assert set(marker.outputs) == {
        *(f"interpolation-{name}.{kind}" for name in paths for kind in ("png", "gif")),
        *("gallery.png", "traversal.png", "maps.png", "points.csv", "dimensions.csv", "latent.json", "result.json"),
    }
    for name in marker.outputs:
        if name.endswith((".png", ".gif")):
            with Image.open(studied_cell.path("latent", name)) as picture:
                picture.verify()
    rows = list(csv.DictReader(io.StringIO(studied_cell.path("latent", "points.csv").read_text())))
    assert len(rows) == studied_cell.marker("latent").facts["images"] == 24  # half of 12 subjects x 4 shots
    assert {row["gender"] for row in rows} == {"Male", "Female"}
    assert len({row["identity"] for row in rows}) == 12


def test_the_numbers_have_intervals_and_stand_in_tables(studied_cell: Any) -> None:
    found = studied_cell.json("latent", "result.json")
    for key in ("psnr", "ssim", "psnr_mean_face", "ssim_mean_face"):
        assert found[key]["low"] < found[key]["value"] < found[key]["high"]
    assert set(found["probe"]) == {"age", "age_years", "gender"}
    measures = stage_kind("latent").measures([found])
    assert [one.key for one in measures if one.headline][:2] == ["psnr", "ssim"]
    titles = {one.key: one.title for one in measures}
    assert titles["probe:gender"] == "Probe of gender, balanced accuracy"
    assert titles["probe:age_years"] == "Probe of age_years, R²"
    about = studied_cell.json("latent", "latent.json")
    assert about["held_out"] is True
    for name, one in about["single_dimensions"].items():
        assert one["of"] == len({row for row in _dimensions(studied_cell) if row[0] == name})


def _dimensions(studied_cell: Any) -> list[tuple[str, int]]:
    with open(studied_cell.path("latent", "dimensions.csv"), newline="", encoding="utf-8") as file:
        return [(row["attribute"], int(row["dimension"])) for row in csv.DictReader(file)]


def test_reports_without_faces_show_the_maps_only() -> None:
    stage = Finished("latent", {}, ("gallery.png", "maps.png", "result.json"), None, None)  # type: ignore[arg-type]
    kind = stage_kind("latent")
    assert kind.pictures(stage, True) == ("gallery.png", "maps.png")
    assert kind.pictures(stage, False) == ("maps.png",)


def plan(tmp_path: Any, stages: list[Any], base: Any = BASE) -> Any:
    return make_plan(read(write(tmp_path / "grid.yaml", base, axes={}, stages=stages, protocols=[], explainers=[])))


def test_it_uses_the_decoder_of_its_cell_or_of_the_stage_that_it_names(tmp_path: Any) -> None:
    assert {stage.stage for stage in plan(tmp_path, ["latent"], JOINT).stages} == {"train", "latent"}
    two = [
        {"name": "decode", "label": "map"},
        {"name": "decode", "label": "pooled", "decoder": {"name": "unet", "code": "pooled"}},
    ]
    stages = {stage.label: stage for stage in plan(tmp_path, [*two, {"name": "latent", "decoder": "pooled"}]).stages}
    assert stages["decode:pooled"].id in stages["latent"].needs
    assert stages["decode:map"].id not in stages["latent"].needs
    other = {stage.label: stage for stage in plan(tmp_path, [*two, {"name": "latent", "decoder": "map"}]).stages}
    assert other["latent"].id != stages["latent"].id
    renamed = [{**two[1], "label": "other"}, {"name": "latent", "decoder": "other"}]
    assert {one.label: one.id for one in plan(tmp_path, renamed).stages}["latent"] == stages["latent"].id


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (["latent"], "stage latent: the cell has no decoder; list {name: decode} under stages"),
        (["decode", {"name": "latent", "decoder": "x"}], "stage latent: decoder 'x' is no decode stage (known: decode)"),
        (["decode", {"name": "decode", "label": "b"}, "latent"], "there are decode stages decode, b; name one as decoder"),
        (["decode", {"name": "latent", "attributes": ["hat"]}], "stage latent: 'hat' is no column of dataset drawn"),
    ],
)
def test_what_is_missing_is_said_before_anything_runs(tmp_path: Any, stages: list[Any], said: str) -> None:
    with pytest.raises(BadInput) as error:
        plan(tmp_path, stages)
    assert said in str(error.value)


def test_stages_of_different_kinds_may_share_a_label(tmp_path: Any) -> None:
    same = [{"name": "decode", "label": "map"}, {"name": "latent", "label": "map"}]
    assert {stage.label for stage in plan(tmp_path, same).stages} >= {"decode:map", "latent:map"}
    with pytest.raises(BadInput, match="two stages are called 'decode:map'; give one a `label`"):
        plan(tmp_path, [*same, same[0]])


def test_the_labels_of_the_attributes_are_part_of_the_identity(tmp_path: Any) -> None:
    def identity(**settings: Any) -> Any:
        stages = {one.label: one for one in plan(tmp_path, ["decode", {"name": "latent", **settings}]).stages}
        return stages["latent"].node.identity

    assert set(identity()["labels"]) == {"age", "age_years", "gender"}
    assert set(identity(attributes=["gender"])["labels"]) == {"gender"}
    assert identity()["labels"]["gender"] != identity()["labels"]["age"]


def test_pictures_of_equal_inputs_are_equal_bytes(studied_cell: Any) -> None:
    from grid.stages.latent_pictures import TileRow, tiles_png

    tiles = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert tiles_png([TileRow("a", tiles)], "x") == tiles_png([TileRow("a", tiles.copy())], "x")

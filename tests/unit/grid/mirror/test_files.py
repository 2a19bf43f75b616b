import numpy as np
import pytest
from PIL import Image

from grid import drawing
from grid.drawing import Scale
from grid.mirror.files import picture_name, stage_files


@pytest.fixture
def mirrored(make_study, tmp_path):
    def mirrored(title, **options):
        study = make_study(axes={"backbone": ["efficientnet_b1"]}, protocols=(), explainers=(title,), images=2, **options)
        label = f"explain:{title}"
        marker = study.cells[0].markers[label]
        return study, marker, stage_files(study.ledger, label, marker, tmp_path / "out"), tmp_path / "out"

    return mirrored


def test_pictures_have_the_colours_and_the_one_scale_of_the_sheets(mirrored):
    study, marker, tags, folder = mirrored("gradcam")
    assert tags == {"mlflow.loggedImages": "True"}
    crops, maps = (np.load(study.ledger.path(marker, f"{name}.npy")) for name in ("images", "maps"))
    scale = Scale(0.0, float(maps.max()))
    for step in (0, 1):
        found = np.asarray(Image.open(folder / f"explanations/gradcam/{step:02d}.png"))
        assert np.array_equal(found, drawing.footed(drawing.tile(crops[step], maps[step], scale, 224), scale))


def test_pictures_of_pairs_say_pair_kind_side_and_map(mirrored):
    _, _, _, folder = mirrored("reconstruction")
    names = {path.name for path in (folder / "explanations/reconstruction").glob("*.png")}
    assert names == {
        f"pair-0{pair}-{kind}-{side}-{name}.png"
        for pair, kind in enumerate(("genuine", "impostor"))
        for side in ("left", "right")
        for name in ("S", "S-plus", "S-minus")
    }


def test_the_image_grid_has_a_key_per_map_and_no_plus_within_it(mirrored):
    """MLflow's page splits these names at every plus sign."""
    _, _, _, folder = mirrored("reconstruction")
    parts = [path.stem.split("+") for path in (folder / "images").glob("*.png")]
    assert {part[0] for part in parts} == {"reconstruction S", "reconstruction S plus", "reconstruction S minus"}
    assert all((part[1], part[3]) == ("step", "timestamp") and len(part) == 6 for part in parts)
    assert sorted(int(part[2]) for part in parts if part[0] == "reconstruction S") == [0, 1, 2, 3]


def test_writing_twice_writes_the_same_files(mirrored, tmp_path):
    study, marker, _, folder = mirrored("pair_occlusion")
    stage_files(study.ledger, "explain:pair_occlusion", marker, tmp_path / "again")
    first, again = (
        {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (folder, tmp_path / "again")
    )
    assert len(first) == 4 + 2 * 4 * 3 - 1
    assert again == first


def test_a_refused_method_leaves_its_reason_and_no_picture(mirrored):
    _, _, tags, folder = mirrored("gbp")
    assert "SiLU" in tags["facegrid.refused.gbp"]
    assert not list(folder.rglob("*.png"))


def test_names_of_pictures_are_equal_in_every_run():
    pair = {"pair": 3, "same": True, "side": "left"}
    assert picture_name(6, pair, "") == "pair-03-genuine-left.png"
    assert picture_name(6, pair, "S+") == "pair-03-genuine-left-S-plus.png"
    assert picture_name(4, {}, "") == "04.png"
    assert picture_name(4, {}, "a b/c") == "04-a-b_c-539138d5.png"


def test_a_picture_of_a_methods_own_is_shown_as_it_is(mirrored):
    study, marker, _, folder = mirrored("activation_maximisation")
    pictures = drawing.from_unit(np.load(study.ledger.path(marker, "pictures.npy")))
    for step in (0, 1):
        found = np.asarray(Image.open(folder / f"explanations/activation_maximisation/{step:02d}.png"))
        assert np.array_equal(found, drawing.resized(pictures[step], 224))

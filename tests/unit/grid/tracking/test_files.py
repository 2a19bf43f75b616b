import json

import numpy as np
import pytest
from PIL import Image

from grid.evaluation.task import EvaluationTask
from grid.results import heatmap
from grid.results.heatmap import Scale
from grid.results.logs import stage_log
from grid.spec.stage_kind import StageName
from grid.tracking.files import image_name, stage_files


@pytest.fixture
def synced(make_study, tmp_path):
    def synced(title, **options):
        study = make_study(axes={"backbone": ["efficientnet_b1"]}, protocols=(), explainers=(title,), images=2, **options)
        label = StageName("explain", title)
        marker = study.cells[0].markers[label]
        return study, marker, stage_files(study.ledger, label, marker, tmp_path / "out"), tmp_path / "out"

    return synced


def test_images_have_the_colors_and_the_one_scale_of_the_sheets(synced):
    study, marker, tags, folder = synced("gradcam")
    assert tags == {"mlflow.loggedImages": "True"}
    crops, maps = (np.load(study.ledger.path(marker, f"{name}.npy")) for name in ("images", "maps"))
    scale = Scale(0.0, float(maps.max()))
    for step in (0, 1):
        found = np.asarray(Image.open(folder / f"explanations/gradcam/{step:02d}.png"))
        assert np.array_equal(found, heatmap.footed(heatmap.tile(crops[step], maps[step], scale, 224), scale))


def test_images_of_pairs_say_pair_kind_side_and_map(synced):
    _, _, _, folder = synced("reconstruction")
    names = {path.name for path in (folder / "explanations/reconstruction").glob("*.png")}
    assert names == {
        f"pair-0{pair}-{kind}-{side}-{name}.png"
        for pair, kind in enumerate(("genuine", "impostor"))
        for side in ("left", "right")
        for name in ("S", "S-plus", "S-minus")
    }


def test_the_image_grid_has_a_key_per_map_and_no_plus_within_it(synced):
    """MLflow's page splits these names at every plus sign."""
    _, _, _, folder = synced("reconstruction")
    parts = [path.stem.split("+") for path in (folder / "images").glob("*.png")]
    assert {part[0] for part in parts} == {"reconstruction S", "reconstruction S plus", "reconstruction S minus"}
    assert all((part[1], part[3]) == ("step", "timestamp") and len(part) == 6 for part in parts)
    assert sorted(int(part[2]) for part in parts if part[0] == "reconstruction S") == [0, 1, 2, 3]


def test_writing_twice_writes_the_same_files(synced, tmp_path):
    study, marker, _, folder = synced("pair_occlusion")
    stage_files(study.ledger, StageName("explain", "pair_occlusion"), marker, tmp_path / "again")
    first, again = (
        {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (folder, tmp_path / "again")
    )
    assert len(first) == 5 + 2 * 4 * 3 - 1
    assert again == first


def test_figures_of_results_are_files_of_the_run(make_study, tmp_path, monkeypatch):
    study = make_study(axes={"backbone": ["alexnet"]}, protocols=("my: lfw",), explainers=())
    label = StageName("evaluate", "my: lfw")
    seen = []
    monkeypatch.setattr(EvaluationTask, "figures", lambda self, found: seen.append(found) or {"age confusion": b"PNG"})
    marker = study.cells[0].markers[label]
    stage_files(study.ledger, label, marker, tmp_path)
    (file,) = tmp_path.glob("metrics/*.png")
    assert (file.read_bytes(), seen) == (b"PNG", [study.ledger.json(marker, "metrics.json")])
    assert file.name.startswith("my_ lfw age confusion")


def test_a_refused_method_leaves_its_reason_and_no_image(synced):
    _, _, tags, folder = synced("gbp")
    assert "SiLU" in tags["facegrid.refused.gbp"]
    assert not list(folder.rglob("*.png"))


def test_names_of_images_are_equal_in_every_run():
    pair = {"pair": 3, "same": True, "side": "left"}
    assert image_name(6, pair, "") == "pair-03-genuine-left.png"
    assert image_name(6, pair, "S+") == "pair-03-genuine-left-S-plus.png"
    assert image_name(4, {}, "") == "04.png"
    assert image_name(4, {}, "a b/c") == "04-a-b_c-539138d5.png"


def test_a_image_of_a_methods_own_is_shown_as_it_is(synced):
    study, marker, _, folder = synced("activation_maximization")
    generated = heatmap.from_unit(np.load(study.ledger.path(marker, "generated.npy")))
    for step in (0, 1):
        found = np.asarray(Image.open(folder / f"explanations/activation_maximization/{step:02d}.png"))
        assert np.array_equal(found, heatmap.resized(generated[step], 224))


def test_the_log_of_a_stage_is_what_the_command_prints(synced):
    study, marker, _, folder = synced("pair_occlusion")
    text = (folder / "logs" / "explain" / "pair_occlusion.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    assert rows == stage_log(study.ledger, marker.kind, marker.id)
    assert rows[-1]["message"].startswith("done in ")

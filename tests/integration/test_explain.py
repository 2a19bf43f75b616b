"""``facegrid explain`` through the real command line: a finished study, and two files."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from launching import Store, cells, grid, here, runs, sound

from grid.ledger.study import read_record, write_record

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
METHODS = "{name: score_cam, batch: 16}, cam, {name: corr_rise, masks: 8, pairs: 2}"
NEW = ("explain:score_cam", "explain:cam", "explain:corr_rise")


@dataclass(frozen=True)
class Explained:
    folder: Path
    file: Path
    before: dict[tuple[str, str], int]  # attempts when the launch had ended
    facts: dict[str, Any]

    @property
    def study(self) -> Path:
        return self.folder / STUDY

    @property
    def store(self) -> Store:
        return Store(self.study / "store")


def printed(said: str) -> Any:
    return json.loads(said[said.index("\n{") if not said.startswith("{") else 0 :])


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Explained:
    """A grid of two cells, of which one was launched and then explained by three more methods."""

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"]["detection"], tree["axes"]["pretraining"], tree["skip"]
        tree["base"]["recipe"]["epochs"] = 1
        tree["launch"] = {"executor": "local"}

    folder = tmp_path_factory.mktemp("explained")
    file = grid(folder / "tiny.yaml", change)
    here(folder, "launch", file, "--where", "head=narrow")
    before = Store(folder / STUDY / "store").attempts()
    file.unlink()  # the study is explained as it was launched
    said = here(folder, "explain", STUDY, "--methods", METHODS, "--json")
    return Explained(folder, grid(file, change), before, printed(said))


@pytest.mark.parametrize(
    ("executor", "why"), [("local", "and launch.executor is local"), ("ray", "is no address of a Ray cluster; write HOST:PORT")]
)
def test_an_address_that_is_refused_leaves_the_study_as_it_was(
    explained: Explained, tmp_path: Path, executor: str, why: str
) -> None:
    shutil.copytree(explained.study, tmp_path / "copy")
    record = read_record(tmp_path / "copy") or {}
    write_record(tmp_path / "copy", {**record, "launch": {**record["launch"], "executor": executor}})
    before = read_record(tmp_path / "copy") or {}
    said = here(tmp_path, "explain", "copy", "--methods", "lime", "--address", "nonsense", code=2)
    assert why in said
    after = read_record(tmp_path / "copy") or {}
    assert (after["explained"], after["cells"]) == (before["explained"], before["cells"])


def test_nothing_but_the_new_explanations_is_computed(explained: Explained) -> None:
    after = explained.store.attempts()
    assert {key: after[key] for key in explained.before} == explained.before
    assert sorted(kind for kind, _ in after.keys() - explained.before.keys()) == ["explain"] * 3
    assert explained.facts["stages_run"] == 3


def test_a_cell_without_a_training_is_passed_over_and_a_refusal_says_why(explained: Explained) -> None:
    assert explained.facts["passed_over"] == [{"cell": "head=wide", "reason": "not trained yet; launch the grid"}]
    states = {row["label"]: row["state"] for row in explained.facts["explanations"]}
    assert states == {"score_cam": "done", "cam": "refused", "corr_rise": "done"}
    (refused,) = (row["refused"] for row in explained.facts["explanations"] if row["state"] == "refused")
    assert refused["code"] == "layer_too_coarse"
    assert refused["reason"]


def test_status_report_and_mlflow_have_them(explained: Explained) -> None:
    found = json.loads(here(explained.folder, "status", STUDY, "--json"))
    (cell,) = (cell for cell in found["cells"] if cell["levels"] == {"head": "narrow"})
    assert cell["state"] == "done"
    assert set(NEW) < set(cell["attempts"])
    page = (explained.study / "report" / "index.html").read_text()
    assert all(name in page for name in ("score_cam", "corr_rise", "one place only", "refused"))
    assert (explained.study / "report" / "sheet-score_cam.png").is_file()
    (run,) = runs(explained.study)[cell["id"]]
    files = Path(run.info.artifact_uri.removeprefix("file://")) / "explanations"
    assert (files / "score_cam" / "00.png").is_file()
    assert "refused" in json.loads((files / "cam" / "manifest.json").read_text())


def test_the_same_command_runs_nothing(explained: Explained) -> None:
    before = explained.store.attempts()
    said = here(explained.folder, "explain", STUDY, "--methods", METHODS, "--where", "head=narrow")
    assert "0 stages to run" in said
    assert "refused cam, head=narrow: layer_too_coarse: " in said
    assert explained.store.attempts() == before


def test_a_launch_keeps_them_and_runs_nothing_for_them(explained: Explained) -> None:
    before = explained.store.attempts()
    assert "0 stages to run" in here(explained.folder, "launch", explained.file, "--where", "head=narrow")
    assert explained.store.attempts() == before
    (cell,) = (cell for cell in cells(explained.study) if cell["levels"] == {"head": "narrow"})
    assert set(NEW) < set(cell["stages"])
    assert (explained.study / "report" / "sheet-score_cam.png").is_file()


def test_images_and_pairs_are_explained_by_their_keys(explained: Explained) -> None:
    store = explained.store
    (cell,) = (cell for cell in cells(explained.study) if cell["levels"] == {"head": "narrow"})
    markers = {id: marker for (_, id), marker in store.markers().items()}
    images = store.ledger.json(markers[cell["stages"]["explain:gradcam"]], "manifest.json")["images"]
    pairs = store.ledger.json(markers[cell["stages"]["explain:corr_rise"]], "manifest.json")["images"]
    left, right, *_ = (image["key"] for image in pairs)
    (explained.folder / "pairs.txt").write_text(f"{right} {left}\n{left} {pairs[2]['key']}\n")
    shutil.copytree(explained.study / "report", explained.folder / "kept")
    words = ("explain", STUDY, "--where", "head=narrow", "--json", "--methods", "gradcam")
    one = printed(here(explained.folder, *words, "--images", images[1]["key"]))["explanations"][0]
    two = printed(here(explained.folder, *words, "--pairs", "pairs.txt"))["explanations"][0]
    assert (one["label"], two["label"]) == ("gradcam 2", "gradcam 3")
    seen = [json.loads((Path(row["folder"]) / "manifest.json").read_text())["images"] for row in (one, two)]
    assert [image["key"] for image in seen[0]] == [images[1]["key"]]
    assert seen[0][0]["class"] == images[1]["class"]
    assert [image["key"] for image in seen[1]] == [right, left, left, pairs[2]["key"]]
    assert [image["same"] for image in seen[1]] == [True, True, False, False], "the first pair of a protocol is genuine"
    said = here(explained.folder, *words[:-3], "--methods", "gradcam", "--images", "nobody", code=2)
    assert "--images: the training data: no image 'nobody' among 36 (nearest: " in said


def test_two_files_are_decided_by_the_protocols_threshold(explained: Explained, shared: Path) -> None:
    faces = [shared / "data/lfw/images" / name for name in ("AJ_Cook/AJ_Cook_0001.jpg", "AJ_Lamas/AJ_Lamas_0001.jpg")]
    (cell,) = (cell for cell in cells(explained.study) if cell["levels"] == {"head": "narrow"})
    markers = explained.store.markers()
    train = markers["train", cell["stages"]["train"]]
    checkpoint = explained.store.ledger.path(train, "model.safetensors")
    methods = ("--methods", "gradcam,cam,{name: corr_rise, masks: 8},{name: corr_rise, label: mean, masks: 8, fill: mean}")
    before = explained.store.attempts()
    by_file = printed(here(explained.folder, "explain", checkpoint, *faces, *methods, "--to", "file.png", "--json"))
    by_cell = printed(
        here(explained.folder, "explain", STUDY, *faces, *methods, "--where", "head=narrow", "--to", "cell.png", "--json")
    )
    assert (explained.folder / "file.png").read_bytes() == (explained.folder / "cell.png").read_bytes()
    assert {**by_file, "image": ""} == {**by_cell, "image": ""}
    assert explained.store.attempts() == before, "the ledger is only read"
    metrics = explained.store.ledger.json(markers["evaluate", cell["stages"]["evaluate:drawn"]], "metrics.json")
    assert by_file["threshold"] == metrics["best_threshold"]["threshold"]
    assert by_file["threshold_from"].startswith("the best one of protocol drawn: ")
    assert by_file["decision"] == ("same subject" if by_file["cosine"] >= by_file["threshold"] else "different subjects")
    assert [one["method"] for one in by_file["maps"]] == ["gradcam", "corr_rise S+", "corr_rise S-", "mean S+", "mean S-"]
    assert [one["code"] for one in by_file["refused"]] == ["layer_too_coarse"]
    assert [(face["width"], face["height"]) for face in by_file["faces"]] == [(250, 250)] * 2

    alone = explained.folder / "alone" / "store" / "train"  # no study, no evaluation: the identity tells the network
    shutil.copytree(checkpoint.parents[1], alone / train.id)
    words = (explained.folder, "explain", alone / train.id / train.attempt / checkpoint.name, *faces)
    said = here(*words, *methods, "--to", "alone.png")
    assert f"cosine {by_file['cosine']:.4f}\nno decision: this training has no finished evaluation" in said
    assert "refused mean: no_reference: " in said
    assert "no study is known" in said
    own = here(*words, "--methods", "gradcam", "--threshold", "-1", "--to", "own.png")
    assert "same subject: cosine" in own
    copy = shutil.copy(checkpoint, explained.folder / "copy.safetensors")
    assert "no network of a ledger" in here(explained.folder, "explain", copy, *faces, code=2)
    (explained.folder / "broken.jpg").write_bytes(b"no image")
    broken = here(explained.folder, "explain", checkpoint, faces[0], "broken.jpg", code=2)
    assert "broken.jpg: no image of a known format" in broken


def test_the_study_is_sound_after_all_that(explained: Explained) -> None:
    here(explained.folder, "launch", explained.file)
    sound(explained.study)

"""Launches of a tiny grid through the real command line: what runs, what does not, which numbers.

The whole grid is launched on real Ray, in a process of its own; what comes after it mostly runs in this process.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launching import TINY, Store, cells, facegrid, grid, here, sound

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
LOCAL = "launch.executor=local"
ONE = "head=narrow,detection=mtcnn,pretraining=source"  # a cell with every kind of stage


class Launched:
    def __init__(self, folder: Path, said: str) -> None:
        self.folder, self.said = folder, said
        self.study = folder / STUDY
        self.store = Store(self.study / "store")


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Launched:
    """The whole grid, launched once, undisturbed; tests only read it."""
    folder = tmp_path_factory.mktemp("launched")
    return Launched(folder, facegrid(folder, "launch", TINY))


@pytest.fixture
def twin(launched: Launched, tmp_path: Path) -> Iterator[Launched]:
    """A copy of the launched study; files are shared, so a test replaces them and never writes into them."""
    shutil.copytree(launched.study, tmp_path / STUDY, copy_function=os.link)
    for name in ("plan.json", "plan.backup.json", "mlflow.json"):  # written again by every launch
        path = tmp_path / STUDY / name
        text = json.loads(path.read_text().replace(str(launched.folder), str(tmp_path)))
        text.pop("digest", None)  # of the original
        path.unlink()
        path.write_text(json.dumps(text))
    yield Launched(tmp_path, launched.said)
    shutil.rmtree(tmp_path / STUDY)  # some hundred megabytes


def stages(study: Path, **levels: str) -> set[str]:
    """Ids of the stages of the cells with these levels."""
    found = [cell for cell in cells(study) if levels.items() <= cell["levels"].items()]
    return {id for cell in found for id in cell["stages"].values()}


def test_a_launch_computes_every_stage_once(launched: Launched) -> None:
    assert len(cells(launched.study)) == 6
    assert set(launched.store.attempts().values()) == {1}
    assert {key[1] for key in launched.store.contents()} == stages(launched.study)
    assert "failed" not in launched.said


def test_a_launch_says_what_it_waits_for_until_its_first_stage(launched: Launched) -> None:
    lines = [line.partition(" ")[2] for line in launched.said.splitlines()]
    place = lines.index("waiting for Ray to start a process")
    assert lines[place - 1].startswith("Ray on this machine: ")
    rest = [line for line in lines[place + 1 :] if not line.startswith("no stage has begun after ")]
    assert rest[0] == "the first process is there; waiting for it to import torch and begin its stage"
    assert rest[1].startswith(("detect:drawn of ", "detect:data of ")), rest[1]
    assert lines.count(rest[0]) == 1


def test_shared_stages_are_computed_once(launched: Launched) -> None:
    kinds = [kind for kind, _ in launched.store.attempts()]
    assert {kind: kinds.count(kind) for kind in kinds} == {"detect": 2, "pretrain": 1, "train": 6, "evaluate": 6, "explain": 6}


def test_every_cell_has_one_finished_run_and_none_was_replaced(launched: Launched) -> None:
    sound(launched.study, undisturbed=True)


@pytest.mark.usefixtures("no_report")
def test_launched_again_nothing_runs(launched: Launched) -> None:
    before = launched.store.attempts()
    said = here(launched.folder, "launch", TINY, "--json")
    assert "0 stages" in said
    printed = json.loads(said[said.index("\n{") :])
    assert sorted(cell["state"] for cell in printed["cells"]) == ["done"] * 6 + ["skipped"] * 2
    assert launched.store.attempts() == before
    sound(launched.study, undisturbed=True)


@pytest.mark.usefixtures("no_report")
def test_one_more_level_runs_its_own_cells_alone(twin: Launched) -> None:
    before = twin.store.attempts()

    def change(tree: dict[str, Any]) -> None:
        tree["axes"]["head"]["wider"] = {"head.dimension": 24}
        tree["skip"].append({"when": {"head": "wider", "pretraining": "source"}, "because": "as for wide"})

    here(twin.folder, "launch", grid(twin.folder / "tiny.yaml", change), LOCAL)
    after = twin.store.attempts()
    assert {key: after[key] for key in before} == before
    new = {id for _, id in after.keys() - before.keys()}
    assert new == stages(twin.study, head="wider") - {id for _, id in before}
    assert len(new) == 6  # train, evaluate, explain with and without detection, which is shared
    assert set(after.values()) == {1}
    sound(twin.study, undisturbed=True)


def test_one_more_protocol_or_explainer_trains_nothing(twin: Launched) -> None:
    before = twin.store.attempts()

    def change(tree: dict[str, Any]) -> None:
        tree["protocols"].append({**tree["protocols"][0], "label": "flipped", "flip_test": True})
        tree["explainers"].append({**tree["explainers"][0], "label": "pairs", "pairs": 3})

    here(twin.folder, "launch", grid(twin.folder / "tiny.yaml", change), LOCAL)
    after = twin.store.attempts()
    assert {key: after[key] for key in before} == before
    new = [kind for kind, _ in after.keys() - before.keys()]
    assert sorted(new) == ["evaluate"] * 6 + ["explain"] * 6
    sound(twin.study, undisturbed=True)
    (cell, *_) = cells(twin.study)
    marker = twin.store.markers()["explain", cell["stages"]["explain:pairs"]]
    manifest = twin.store.ledger.json(marker, "manifest.json")
    sides = [(image["pair"], image["side"], image["same"]) for image in manifest["images"]]
    assert sides == [(pair, side, pair < 2) for pair in range(3) for side in ("left", "right")]
    assert manifest["target"] == "cosine with the other image"
    maps = np.load(twin.store.ledger.path(marker, "maps.npy"))
    assert len(maps) == 6
    assert (twin.study / "report" / "sheet-pairs.png").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_numbers_depend_neither_on_order_nor_on_what_a_worker_did_before(launched: Launched, tmp_path: Path) -> None:
    """Also shows --where: the first launch runs the last cells, the second one the rest, both in this process."""

    def change(tree: dict[str, Any]) -> None:
        tree["axes"] = {axis: dict(reversed(levels.items())) for axis, levels in reversed(tree["axes"].items())}
        tree["launch"] = {"executor": "local"}

    other, store = grid(tmp_path / "tiny.yaml", change), Store(tmp_path / STUDY / "store")
    here(tmp_path, "launch", other, "--where", "head=wide,detection=none")
    first = store.contents()
    assert sorted(kind for kind, _ in first) == ["evaluate", "explain", "train"]
    assert {id for _, id in first} == stages(tmp_path / STUDY, head="wide", detection="none")
    here(tmp_path, "launch", other)
    assert set(store.attempts().values()) == {1}
    assert store.contents() == launched.store.contents()
    assert [cell["levels"] for cell in cells(tmp_path / STUDY)] != [cell["levels"] for cell in cells(launched.study)]


def test_debug_gives_the_launched_numbers_to_the_last_bit(launched: Launched) -> None:
    before = launched.store.attempts()
    facegrid(launched.folder, "debug", TINY, "--where", ONE)
    found = Store(launched.study / "debug").markers()
    there = launched.store.markers()
    wanted = stages(launched.study, head="narrow", detection="mtcnn", pretraining="source")
    assert {id for _, id in found} == wanted
    for key, marker in found.items():
        said = {name: entry["sha256"] for name, entry in marker.outputs.items() if name != "timing.json"}
        assert said == {name: entry["sha256"] for name, entry in there[key].outputs.items() if name != "timing.json"}, key
    names = {name for marker in found.values() for name in marker.outputs}
    assert names >= {"detections.parquet", "model.safetensors", "scores.parquet", "metrics.json", "maps.npy"}
    assert launched.store.attempts() == before, "debug leaves a launched study alone"


def test_a_fast_look_at_searches_and_groups_ends_well(tmp_path: Path) -> None:
    faces = {"name": "drawn", "first": 1000, "subjects": 4, "shots": 4, "size": 64}

    def change(tree: dict[str, Any]) -> None:
        tree["axes"], tree["skip"], tree["explainers"] = {}, [], []
        tree["protocols"] = [
            {"name": "identification", "data": faces, "gallery": 1, "unknown": 0.5},
            {"name": "clustering", "data": faces, "subjects": 4},
        ]

    said = here(tmp_path, "debug", grid(tmp_path / "tiny.yaml", change), "--fast")
    assert "evaluate:identification: images" in said
    assert "evaluate:clustering: images" in said


def test_a_network_of_another_study_is_measured_as_it_is(launched: Launched, tmp_path: Path) -> None:
    """``recipe: none`` with a checkpoint of the launched grid gives the launched scores, and explains no class."""
    (there,) = (
        cell
        for cell in cells(launched.study)
        if cell["levels"] == dict.fromkeys(("detection", "pretraining"), "none") | {"head": "narrow"}
    )
    markers = {key[1]: marker for key, marker in launched.store.markers().items()}
    weights = launched.store.ledger.path(markers[there["stages"]["train"]], "model.safetensors")

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"], tree["skip"]
        tree["base"] |= {"recipe": "none", "head": {"name": "gap_bn", "dimension": 8}}
        tree["base"]["pretraining"] = {"name": "checkpoint", "path": str(weights), "head": True}

    here(tmp_path, "debug", grid(tmp_path / "tiny.yaml", change))
    found = {marker.kind: marker for marker in Store(tmp_path / STUDY / "debug").markers().values()}
    expected = markers[there["stages"]["evaluate:drawn"]]
    assert found["evaluate"].outputs["scores.parquet"]["sha256"] == expected.outputs["scores.parquet"]["sha256"]
    assert (found["train"].facts["epochs"], found["train"].facts["images"]) == (0, 0)
    assert found["explain"].facts["refused"]["code"] == "no_classifier"


def test_a_decoder_alone_leaves_the_network_as_it_is_and_explains_it(tmp_path: Path) -> None:
    """Weights from a file are the same bytes afterwards; S maps come from a head that is linear in the map."""
    import torch
    from safetensors.torch import load_file

    from configs.lookup import resolve

    backbone: Any = resolve("backbone", "alexnet")
    torch.save(backbone.build().state_dict(), tmp_path / "alexnet.pth")

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"], tree["skip"]
        tree["base"]["recipe"] |= {"trainable": "decoder", "optimizer": "adamw"}
        tree["base"]["pretraining"] = {"name": "checkpoint", "path": str(tmp_path / "alexnet.pth")}
        tree["base"]["reconstruction"] = {"decoder": {"name": "transposed", "layers": 6, "width": 16}}
        pairs = {"name": "reconstruction", "head": "linear", "threshold": 0.3, "pairs": 2}
        tree["explainers"] = [{"name": "gradcam", "images": 2}, pairs]
        tree["protocols"][0]["first"] = 1000

    here(tmp_path, "debug", grid(tmp_path / "tiny.yaml", change))
    store = Store(tmp_path / STUDY / "debug")
    markers = {marker.kind: marker for marker in store.markers().values()}
    kept = load_file(store.ledger.path(markers["train"], "model.safetensors"))
    for name, value in torch.load(tmp_path / "alexnet.pth", weights_only=True).items():
        assert torch.equal(kept[f"backbone.{name}"], value), name
    assert markers["train"].facts["epochs"] == 3
    assert markers["train"].facts["validation_accuracy"] is None
    refusals = [marker.facts["refused"] for marker in store.markers().values() if marker.kind == "explain"]
    assert sorted((found or {}).get("code", "") for found in refusals) == ["", "no_classifier"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_changed_result_is_computed_again_with_equal_content(twin: Launched) -> None:
    """One model was cut short, which its size tells; one has another byte, which shows when somebody needs it."""
    contents, attempts = twin.store.contents(), twin.store.attempts()
    ids = [cell["stages"]["train"] for cell in cells(twin.study)]
    for id, change in ((ids[0], lambda data: data[:-1]), (ids[1], lambda data: data[:-1] + bytes([data[-1] ^ 1]))):
        marker = twin.store.markers()["train", id]
        path = twin.store.path / "train" / id / marker.attempt / "model.safetensors"
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(change(data))

    def more(tree: dict[str, Any]) -> None:
        tree["explainers"].append({**tree["explainers"][0], "label": "pairs", "pairs": 3})

    here(twin.folder, "launch", grid(twin.folder / "tiny.yaml", more), LOCAL)
    after = twin.store.contents()
    assert {key: after[key] for key in contents} == contents
    again = {key for key, count in twin.store.attempts().items() if count > attempts.get(key, 1)}
    assert {key for key in again if key[0] == "train"} == {("train", ids[0]), ("train", ids[1])}
    sound(twin.study)


@pytest.mark.usefixtures("no_report")
def test_an_error_that_would_come_again_fails_its_cell_alone(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        del tree["axes"]["head"], tree["axes"]["pretraining"], tree["axes"]["detection"], tree["skip"]
        tree["axes"] = {"rate": {"absurd": {"recipe.lr": 1e30}, "good": {}}}
        tree["explainers"] = [{"name": "gradcam", "images": 2, "scores": [{"name": "sanity", "depths": 1, "most": 4}]}]

    file, store = grid(tmp_path / "tiny.yaml", change), Store(tmp_path / STUDY / "store")
    said = here(tmp_path, "launch", file, LOCAL, code=1)
    bad, good = ({"rate": rate} for rate in ("absurd", "good"))
    (failed,) = (id for kind, id in store.attempts() if kind == "train" and id in stages(tmp_path / STUDY, **bad))
    failure = store.ledger.failure("train", failed)
    assert failure is not None
    assert failure.deterministic
    assert "in epoch" in failure.error
    assert "steps" in failure.error
    assert failure.error[:30] in said
    assert {id for _, id in store.contents()} == stages(tmp_path / STUDY, **good)
    assert (
        f"{len(store.contents())} of {len(stages(tmp_path / STUDY, **good) | stages(tmp_path / STUDY, **bad))} stages ran"
        in said
    )
    assert store.attempts()["train", failed] == 1

    again = here(tmp_path, "launch", file, LOCAL, code=1)
    assert "rate=absurd" in again
    assert set(store.attempts().values()) == {1}, "it is recorded, and not tried again unasked"

    here(tmp_path, "launch", file, "--retry", "failed", LOCAL, code=1)
    assert store.attempts()["train", failed] == 2
    assert {key: count for key, count in store.attempts().items() if key[1] != failed} == dict.fromkeys(store.contents(), 1)

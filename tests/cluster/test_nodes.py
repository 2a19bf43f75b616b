"""Several real Ray nodes on this machine, reached by --address."""

from __future__ import annotations

import itertools
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from launching import PATIENCE, Facegrid, Head, Store, cells, facegrid, grid, here, sound
from safetensors.torch import load_file

from grid.ledger.attempt_times import attempt_times

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


def plain(tree: dict[str, Any]) -> None:
    del tree["axes"]["detection"]


RETRIES = ("launch.retries=0",)  # the loss of a node does not count


def test_a_node_that_is_taken_away_costs_no_result(nodes: Any, undisturbed: Any, tmp_path: Path, hold: Path) -> None:
    """What is half done stays so until its node is gone."""
    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    places = [cluster.add(num_cpus=1), cluster.add(num_cpus=1)]
    store = Store(tmp_path / STUDY / "store")
    words = ("launch", undisturbed.grid, *RETRIES, "--address", cluster.address)
    with Facegrid(tmp_path, *words) as driver:
        half, claim = driver.until(store.half_trained)
        worker = psutil.Process(claim["pid"])
        raylet = worker.parent().pid
        (place,) = (node for node in places if raylet in [one.process.pid for one in node.all_processes["raylet"]])
        cluster.cluster.remove_node(place, allow_graceful=False)
        worker.wait(PATIENCE)  # it outlives its raylet for a while
        hold.unlink()
        assert driver.wait() == 0, driver.said
        assert "(raylet)" not in driver.said, "what Ray says is a line of the launch, if it is said at all"
    assert store.contents() == undisturbed.contents
    assert half in store.resumed()
    assert store.attempts()["train", half] == 2
    sound(tmp_path / STUDY)


@pytest.mark.slow
def test_a_node_whose_processes_are_all_asked_to_end_costs_no_try(
    nodes: Any, undisturbed: Any, tmp_path: Path, hold: Path
) -> None:
    """As where a machine is taken away: the worker ends before its node does."""
    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    cluster.add(num_cpus=1)
    cluster.add(num_cpus=1)
    store = Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", undisturbed.grid, *RETRIES, "--address", cluster.address) as driver:
        half, claim = driver.until(store.half_trained)
        worker = psutil.Process(claim["pid"])
        raylet = worker.parent()
        worker.terminate()
        worker.wait(PATIENCE)
        time.sleep(1.0)
        raylet.terminate()
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert store.contents() == undisturbed.contents
    assert half in store.resumed()
    assert store.attempts()["train", half] == 2


@pytest.mark.slow
def test_a_node_that_is_taken_away_in_a_detection_costs_one_piece_of_it(nodes: Any, tmp_path: Path, hold: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        del tree["axes"], tree["skip"], tree["explainers"]
        tree["base"]["detector"] = "components.held"
        tree["base"]["recipe"]["epochs"] = 1

    file, pieces, calm = grid(tmp_path / "tiny.yaml", change), "launch.detect_images=10", Path("studies", "calm")
    here(tmp_path, "launch", file, pieces, "launch.executor=local", f"launch.study={calm}")
    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    places = [cluster.add(num_cpus=1), cluster.add(num_cpus=1)]
    store = Store(tmp_path / STUDY / "store")

    def begun() -> list[tuple[str, Any]]:
        """One piece on each node."""
        found = [(id, claim) for kind, id, claim in store.claims() if kind == "detect_shard"]
        return found if len(found) == len(places) else []

    with Facegrid(tmp_path, "launch", file, pieces, *RETRIES, "--address", cluster.address) as driver:
        (piece, claim), _ = driver.until(begun)
        worker = psutil.Process(claim["pid"])
        raylet = worker.parent().pid
        (place,) = (node for node in places if raylet in [one.process.pid for one in node.all_processes["raylet"]])
        cluster.cluster.remove_node(place, allow_graceful=False)
        worker.wait(PATIENCE)
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert "Traceback" not in driver.said
    assert store.contents() == Store(tmp_path / calm / "store").contents()
    assert {key: count for key, count in store.attempts().items() if count > 1} == {("detect_shard", piece): 2}
    sound(tmp_path / STUDY)


@pytest.mark.slow
def test_nodes_share_a_detection_and_each_piece_is_computed_once(nodes: Any, tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        del tree["axes"], tree["skip"]
        tree["base"]["detector"] = "components.together"

    (tmp_path / "came").mkdir()
    cluster = nodes(FACEGRID_TEST_TOGETHER=str(tmp_path / "came"))
    for _ in range(2):
        cluster.add(num_cpus=1)
    file, store = grid(tmp_path / "tiny.yaml", change), Store(tmp_path / STUDY / "store")
    facegrid(tmp_path, "launch", file, "launch.detect_images=10", "--address", cluster.address)
    markers = store.markers()
    shards = [marker for key, marker in markers.items() if key[0] == "detect_shard"]
    assert sorted(marker.facts["images"] for marker in shards) == [6, 8, 10, 10, 10, 10]  # of 36 and of 18 images
    assert sorted(marker.facts["images"] for key, marker in markers.items() if key[0] == "detect") == [18, 36]
    assert set(store.attempts().values()) == {1}
    spans = sorted((marker.started, marker.finished) for marker in shards)
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)), "side by side"


@pytest.mark.slow
def test_cells_get_a_gpu_each_where_nodes_have_some(nodes: Any, tmp_path: Path) -> None:
    """Two nodes say that they have one GPU each, which is enough for Ray to place by: one cell on each, of the four."""

    def change(tree: dict[str, Any]) -> None:
        del tree["axes"], tree["skip"]
        tree |= {"replicates": 4, "launch": {"resources": {"cpus": 1}}}  # gpus: auto

    folder = tmp_path / "seen"
    folder.mkdir()
    cluster = nodes(FACEGRID_TEST_PAUSE="0.02", FACEGRID_TEST_SEEN=str(folder))
    for _ in range(2):
        cluster.add(num_cpus=2, num_gpus=1)
    file = grid(tmp_path / "tiny.yaml", change)
    facegrid(tmp_path, "launch", file, "--address", cluster.address)
    assert len(cells(tmp_path / STUDY)) == 4
    markers = Store(tmp_path / STUDY / "store").markers()
    spans = sorted((marker.started, marker.finished) for key, marker in markers.items() if key[0] == "train")
    starts = [start for start, _ in spans]
    busiest = max(sum(start <= moment < stop for start, stop in spans) for moment in starts)
    assert busiest <= 2, "never more cells at once than GPUs"
    seen = [path.read_text() for path in folder.iterdir()]
    assert len(seen) == 4
    assert set(seen) == {"0"}, "each cell sees the one GPU of its node"


def devices(tree: dict[str, Any]) -> None:
    """One cell on two devices; gpus: auto."""
    del tree["axes"], tree["skip"], tree["explainers"]
    tree["base"]["compute"] = {"devices": 2}
    tree["launch"] = {"resources": {"cpus": 1}}


@pytest.mark.slow
@pytest.mark.parametrize(("gpus", "seen"), [((2,), ["0", "1"]), ((1, 1), ["0", "0"])])
def test_the_ranks_of_a_cell_have_a_gpu_each_on_one_node_or_on_two(
    nodes: Any, tmp_path: Path, gpus: tuple[int, ...], seen: list[str]
) -> None:
    folder = tmp_path / "seen"
    folder.mkdir()
    cluster = nodes(FACEGRID_TEST_SEEN=str(folder))
    for count in gpus:
        cluster.add(num_cpus=count, num_gpus=count)
    file = grid(tmp_path / "tiny.yaml", devices)
    facegrid(tmp_path, "launch", file, "--address", cluster.address)
    assert sorted(path.read_text() for path in folder.iterdir()) == seen
    contents = Store(tmp_path / STUDY / "store").contents()
    assert len(contents) == 2
    if len(gpus) == 2:
        here(tmp_path, "launch", file, "launch.executor=local", "launch.study=studies/local")
        assert Store(tmp_path / "studies" / "local" / "store").contents() == contents, "as on one machine"
    else:
        said = facegrid(tmp_path, "launch", file, "compute.devices=3", "launch.study=x", "--address", cluster.address, code=2)
        assert "compute.devices is 3, and the nodes together have room for 2 times 1 CPU, 1 GPU" in said
        half = ("launch.resources.gpus=0.5", "launch.study=y")
        said = facegrid(tmp_path, "launch", file, *half, "--address", cluster.address, code=2)
        assert "compute.devices is 2, and launch.resources.gpus is 0.5 for train: each device is a whole GPU" in said


def elastic(tree: dict[str, Any]) -> None:
    """Two cells on two devices, whose numbers do not depend on them: the devices of one share its classes, some are sampled."""
    devices(tree)
    plain = {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"}
    tree["base"] |= {"head": plain, "pretraining": "none", "detector": "none"}
    # At a rate of 0.1 two instruction sets of one processor end 1e-3 apart; at 0.05, 3e-8.
    tree["base"]["recipe"] |= {"batch_size": 9, "lr": 0.05}
    shared = {
        "compute": {"devices": 2, "classes": "shared", "batch_norm": "synchronized"},
        "loss": {"name": "arcface", "scale": 8, "sample": 0.6},
        "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
        "recipe.lr": 0.003,  # rounding grows with it, in a network with batch normalization
    }
    tree["axes"] = {"classes": {"shared": shared, "copied": {"compute.classes": "copied"}}}
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0}, "devices": "auto"}
    tree["protocols"] = []


def trainings(study: Path) -> dict[str, tuple[dict[str, torch.Tensor], list[dict[str, Any]], Any]]:
    """The weights, the learning curve and the marker of each training of a study."""
    store = Store(study / "store")
    markers = {id: marker for (kind, id), marker in store.markers().items() if kind == "train"}
    return {
        id: (load_file(store.ledger.path(marker, "model.safetensors")), store.ledger.json(marker, "history.json"), marker)
        for id, marker in markers.items()
    }


@pytest.mark.slow
def test_trainings_on_two_nodes_go_on_on_the_one_that_is_left(nodes: Any, tmp_path: Path, hold: Path) -> None:
    """One runs on both nodes, the other waits for both: the first goes on from its checkpoint, the other begins on one."""
    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    places = [cluster.add(num_cpus=1), cluster.add(num_cpus=1)]
    file, store = grid(tmp_path / "tiny.yaml", elastic), Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", file, *RETRIES, "--address", cluster.address) as driver:
        half, claim = driver.until(store.half_trained)
        assert store.attempts() == {("train", half): 1}, "the other waits for both nodes"
        raylets = {place.all_processes["raylet"][0].process.pid: place for place in places}
        raylets.pop(psutil.Process(claim["pid"]).parent().pid)
        ((raylet, lost),) = raylets.items()
        (helper,) = (one for one in psutil.Process(raylet).children() if one.cmdline()[0].startswith("ray::_Helper"))
        cluster.cluster.remove_node(lost, allow_graceful=False)
        helper.wait(PATIENCE)
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert driver.said.count("on 1 of 2 devices: the nodes have room for no more") == 2
    assert "Traceback" not in driver.said
    assert "ImplicitFunc" not in driver.said
    assert "Trial" not in driver.said, "Tune says nothing"
    sound(tmp_path / STUDY)
    counts = {id: [one["devices"] for one in store.ledger.claims("train", id)] for _, id in store.markers()}
    assert counts == {id: [2, 1] if id == half else [1] for id in counts}
    assert len(counts) == 2
    as_alone(tmp_path, file, devices=1)
    origin = store.ledger.resumed_from(f"train/{half}/{store.ledger.claims('train', half)[1]['folder']}")
    assert origin.get("position", [0, 0]) >= [1, 0], "from a checkpoint, not from the start"


@pytest.mark.slow
def test_a_training_on_one_node_takes_another_one_once_nothing_else_needs_it(nodes: Any, tmp_path: Path, hold: Path) -> None:
    def two_cells(tree: dict[str, Any]) -> None:
        elastic(tree)
        shared = tree["axes"]["classes"]["shared"]
        backbone = {**shared["backbone"], "width": 4}
        small = {"compute": {"devices": 1}, "augmentation": "none", "backbone": backbone, "recipe.lr": 0.02}
        tree["axes"]["classes"] = {"shared": shared, "small": small}  # the second one is not held, and waits for the first

    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    cluster.add(num_cpus=1)
    file, store = grid(tmp_path / "tiny.yaml", two_cells), Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", file, *RETRIES, "--address", cluster.address) as driver:
        id, _ = driver.until(store.half_trained)
        cluster.add(num_cpus=1)
        driver.until(lambda: "there is room for 2 devices instead of 1" in driver.said)
        (other,) = (key for key in store.markers())  # Tune keeps its process for later work, until the room is needed
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert "Traceback" not in driver.said
    assert "lost" not in driver.said
    sound(tmp_path / STUDY)
    assert other != ("train", id)
    claims = store.ledger.claims("train", id)
    assert [one["devices"] for one in claims] == [1, 2]
    assert [one.outcome for one in attempt_times(store.ledger, "train", id)] == ["rescaled", "done"]
    origin = store.ledger.resumed_from(f"train/{id}/{claims[1]['folder']}")
    assert origin["position"] == [2, 0], "it ended with the epoch in which it was asked"
    as_alone(tmp_path, file, devices=2)


@pytest.mark.slow
def test_it_does_so_while_work_waits_that_the_room_is_of_no_use_to(nodes: Any, tmp_path: Path, hold: Path) -> None:
    """Two detections need a node on which no training runs: one computes there, the other waits for it."""

    def three_cells(tree: dict[str, Any]) -> None:
        elastic(tree)
        alone = {"compute": {"devices": 1}, "augmentation": "none", "recipe.lr": 0.02}
        detections = {str(size): {**alone, "detector": {"name": "components.held", "min_face_size": size}} for size in (20, 24)}
        tree["axes"]["classes"] = {"shared": tree["axes"]["classes"]["shared"], **detections}
        tree["launch"]["resources"]["custom"] = {"trains": 1}
        tree["launch"]["stage_resources"] = {"detect": {"custom": {"detects": 1}}}

    cluster = nodes(FACEGRID_TEST_HOLD=str(hold))
    cluster.add(num_cpus=1, resources={"detects": 1})
    cluster.add(num_cpus=1, resources={"trains": 1})
    file, store = grid(tmp_path / "tiny.yaml", three_cells), Store(tmp_path / STUDY / "store")
    with Facegrid(tmp_path, "launch", file, *RETRIES, "--address", cluster.address) as driver:
        id, _ = driver.until(store.half_trained)
        driver.until(lambda: any(kind == "detect" for kind, *_ in store.claims()))
        cluster.add(num_cpus=1, resources={"trains": 1})
        driver.until(lambda: "there is room for 2 devices instead of 1" in driver.said, 120)
        assert sum(kind == "detect" for kind, *_ in store.claims()) == 1, "the other detection waits"
        hold.unlink()
        assert driver.wait() == 0, driver.said
    assert [one["devices"] for one in store.ledger.claims("train", id)] == [1, 2]
    assert sum(kind == "detect" for kind, _ in store.markers()) == 2
    sound(tmp_path / STUDY)


def as_alone(folder: Path, file: Path, devices: int) -> None:
    """The trainings ended on so many devices, with the numbers of trainings in one process."""
    calm = Path("studies", "calm")
    here(folder, "launch", file, "launch.devices=1", "launch.executor=local", f"launch.study={calm}")
    found, alone = trainings(folder / STUDY), trainings(folder / calm)
    assert found.keys() == alone.keys()
    for id, (weights, history, marker) in found.items():
        assert marker.environment.get("devices", devices) == devices  # a cell on one device says nothing
        one, curve, _ = alone[id]
        for key, value in one.items():
            assert torch.allclose(weights[key], value, rtol=0, atol=1e-5), key
        assert len(history) == len(curve) == 3
        for row, again in zip(history, curve, strict=True):
            for name in ("train_loss", "validation_loss"):
                assert row[name] == pytest.approx(again[name], abs=1e-5)
        assert curve[0]["train_loss"] - curve[-1]["train_loss"] > 1e-3, "it learns, so equality means something"


def test_resources_that_no_node_has_are_met_before_anything_runs(nodes: Any, tmp_path: Path) -> None:
    cluster = nodes()
    cluster.add(num_cpus=1, resources={"big": 1})
    cluster.add(num_cpus=1, resources={"disk": 1})
    command = ("launch", grid(tmp_path / "tiny.yaml", plain), "--address", cluster.address)
    assert "no node has 1 CPU, 1 GPU (there are " in here(tmp_path, *command, "launch.resources.gpus=1", code=2)
    custom = "launch.stage_resources={train: {custom: {big: 1}}, evaluate: {custom: {disk: 1}}}"
    said = here(tmp_path, *command, custom, code=2)
    assert "train, evaluate, explain run in one process, and no node has what they need together: 1 CPU, 1 big, 1 disk" in said
    assert Store(tmp_path / STUDY / "store").attempts() == {}
    assert "Traceback" not in said


def test_an_address_where_nobody_answers_is_named(tmp_path: Path) -> None:
    said = here(tmp_path, "launch", grid(tmp_path / "tiny.yaml", plain), "--address", "127.0.0.1:1", code=2)
    assert "127.0.0.1:1" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_cluster_that_asks_for_a_token_is_reached_with_the_one_in_the_home_folder(tmp_path: Path) -> None:
    """Ray 2.60 writes a token when it starts a local cluster; a head that is started after that asks every driver for it."""
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text(uuid.uuid4().hex)
    file = grid(tmp_path / "tiny.yaml", single)
    with Head(tmp_path, 1, HOME=str(home)) as head:
        assert "oken authentication is enabled" in head.said
        words = ("launch", file, "--address", head.address)
        refused = facegrid(tmp_path, *words, code=2, HOME=str(tmp_path), RAY_AUTH_MODE="disabled")
        assert "RAY_AUTH_TOKEN" in refused
        assert "Traceback" not in refused
        facegrid(tmp_path, *words, HOME=str(home))
    sound(tmp_path / STUDY)


def single(tree: dict[str, Any]) -> None:
    del tree["axes"], tree["skip"], tree["explainers"]

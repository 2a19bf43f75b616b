"""How far a study is, where its stages run, and the time that is left."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from grid.ledger.lock import Lock
from grid.ledger.study import Study
from grid.results.progress import headline, lines, progress

Make = Callable[..., Study]
AXES = {"backbone": ["alexnet", "resnet34"]}


@pytest.fixture
def study(make_study: Make) -> Study:
    return make_study(axes=AXES, unfinished=[{"backbone": "resnet34"}], pairs=60, explainers=())


def begin(study: Study, device: str = "") -> float:
    """Another attempt of the unfinished training; when it began."""
    cell = study.cells[1]
    study.ledger.begin("train", cell.stages["train"], {"stage": "train"}, device=device)
    return float(study.ledger.claims("train", cell.stages["train"])[-1]["time"])


def test_a_study_at_rest_has_states_and_stages_and_no_time_left(study: Study) -> None:
    found = progress(study)
    assert (dict(found.states), found.alive, found.seconds_left) == ({"done": 1, "run": 1}, False, None)
    ids = {id for cell in study.cells for id in cell.stages.values()}
    done = {cell.stages[name] for cell in study.cells for name in cell.markers}
    assert (found.stages, found.ended) == (len(ids), len(done))
    assert headline(found) == f"1 done, 1 to run; {len(done)} of {len(ids)} stages"


def test_a_worker_without_a_launch_is_seen_by_its_lease(study: Study) -> None:
    began = begin(study, "gpu 1 (H100)")
    id = study.cells[1].stages["train"]
    with Lock(study.ledger.store, "train", prefix=f"train/{id}/lease"):
        found = progress(Study(study.path), began + 1)
        assert (found.alive, dict(found.states)) == (True, {"done": 1, "running": 1})
        ((place, ((one, title),)),) = found.places.items()
        assert place == (socket.gethostname(), "gpu 1 (H100)")
        assert (one.id, title) == (id, study.cells[1].title)
        shown = [line.plain for line in lines(found)]
        assert shown[0] == f"{socket.gethostname()}, gpu 1 (H100)"
        assert shown[1].startswith(f"  {study.cells[1].title}: train, attempt 2")
    assert not progress(Study(study.path)).alive


def test_the_time_left_is_the_mean_of_each_kind_less_what_was_spent(study: Study) -> None:
    """One training was done; the other has begun, and its evaluation is to come: both take what the first cell took."""
    began = begin(study)
    id = study.cells[1].stages["train"]
    times = {name.kind: marker.finished - marker.started for name, marker in study.cells[0].markers.items()}
    with Lock(study.ledger.store, "train", prefix=f"train/{id}/lease"):
        found = progress(Study(study.path), began)
        at_once = progress(Study(study.path), began + 1e6)
    open_kinds = [name.kind for name in study.cells[1].names if name not in study.cells[1].markers]
    assert "train" in open_kinds
    assert found.seconds_left == pytest.approx(sum(times[kind] for kind in open_kinds))
    assert at_once.seconds_left == pytest.approx(sum(times[kind] for kind in open_kinds if kind != "train"))


def test_stages_that_run_at_once_share_the_time_that_is_left(make_study: Make) -> None:
    others = ["resnet34", "efficientnet_b1"]
    unfinished = [{"backbone": name} for name in others]
    study = make_study(axes={"backbone": ["alexnet", *others]}, unfinished=unfinished, pairs=60, explainers=())
    locks = []
    for cell in study.cells[1:]:
        study.ledger.begin("train", cell.stages["train"], {"stage": "train"})
        locks.append(Lock(study.ledger.store, "train", prefix=f"train/{cell.stages['train']}/lease"))
    times = sum(marker.finished - marker.started for marker in study.cells[0].markers.values())
    began = float(study.ledger.claims("train", study.cells[2].stages["train"])[-1]["time"])
    with locks[0], locks[1]:
        found = progress(Study(study.path), began)
    assert len(found.at_work) == 2
    assert found.seconds_left == pytest.approx(2 * times / 2, abs=1)


def test_no_time_is_guessed_for_a_kind_that_was_never_finished(make_study: Make) -> None:
    study = make_study(axes=AXES, unfinished=[{"backbone": "resnet34"}, {"backbone": "alexnet"}], pairs=60, explainers=())
    cell = study.cells[1]
    study.ledger.begin("train", cell.stages["train"], {"stage": "train"})
    with Lock(study.ledger.store, "train", prefix=f"train/{cell.stages['train']}/lease"):
        found = progress(Study(study.path))
    assert found.seconds_left is None
    assert headline(found).endswith("time left unknown yet")


def test_what_needs_a_failed_stage_takes_no_time(make_study: Make) -> None:
    backbones = ["alexnet", "resnet34", "efficientnet_b1"]
    study = make_study(
        axes={"backbone": backbones}, unfinished=[{"backbone": "resnet34"}], failed=[{"backbone": backbones[2]}], pairs=60
    )
    began, id = begin(study), study.cells[1].stages["train"]
    with Lock(study.ledger.store, "train", prefix=f"train/{id}/lease"):
        found = progress(Study(study.path), began)
    open_kinds = [name.kind for name in study.cells[1].names if name not in study.cells[1].markers]
    times: dict[str, list[float]] = {}
    for name, marker in study.cells[0].markers.items():
        times.setdefault(name.kind, []).append(marker.finished - marker.started)
    assert found.seconds_left == pytest.approx(sum(sum(times[kind]) / len(times[kind]) for kind in open_kinds))

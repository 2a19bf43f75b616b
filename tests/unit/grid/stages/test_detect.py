"""A detection that was cut short goes on where it was, and never from what other code or a bad disk left."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ijb_folder
import numpy as np
import pytest
from onnx_networks import network, save
from small import SMALL

from configs.contract import ContractError
from configs.lookup import resolve
from datamodules.detection import MISSED, Detections
from datamodules.detectors.mtcnn import Mtcnn
from grid.execution.job import Job, RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan, make_plan, store_of
from grid.spec.grid_file import Grid
from grid.stages import detect
from grid.stages.detect import checked_faces

BASE = {**SMALL["base"], "data": {"name": "drawn", "subjects": 3, "shots": 2, "size": 64}, "detector": "mtcnn"}


class Counted:
    """The real detector, which dies at its ``last`` call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.last = 0, 10**9
        honest = Mtcnn.detect

        def counted(this, images):
            self.calls += 1
            if self.calls > self.last:
                raise KeyboardInterrupt
            return honest(this, images)

        monkeypatch.setattr(Mtcnn, "detect", counted)
        monkeypatch.setattr(detect, "CHUNK", 2)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture
def plan(make: Callable[..., Grid]) -> Plan:
    return make_plan(make(axes={}, base=BASE, protocols=[], explainers=[]))


def job_of(plan: Plan) -> Job:
    (stage,) = (stage for stage in plan.stages if stage.stage == "detect")
    return jobs_of(plan.stages, store_of(plan.grid))[stage.id]


def cut_short(plan: Plan, counted: Counted, after: int) -> list[Path]:
    """The shards of an attempt that was killed."""
    counted.calls, counted.last = 0, after
    with pytest.raises(KeyboardInterrupt):
        run(job_of(plan), RunOptions())
    counted.calls, counted.last = 0, 10**9
    found = sorted((store_of(plan.grid) / "detect").glob("*/*/chunks/*"))
    assert len(found) == after
    return found


def table(plan: Plan) -> Detections:
    assert run(job_of(plan), RunOptions()).ended == "done"
    ledger, job = Ledger(store_of(plan.grid)), job_of(plan)
    marker = ledger.marker("detect", job.id)
    assert marker is not None
    return Detections.load(ledger.path(marker, detect.TABLE))


def test_shards_of_a_killed_attempt_are_taken_over(plan: Plan, counted: Counted) -> None:
    cut_short(plan, counted, 2)
    found = table(plan)
    assert counted.calls == 1
    assert len(found) == 6


@pytest.mark.parametrize("damage", ["flipped", "half", "empty", "gone"])
def test_a_damaged_shard_is_detected_again(plan: Plan, counted: Counted, damage: str) -> None:
    first, _ = cut_short(plan, counted, 2)
    data = first.read_bytes()
    if damage == "gone":
        first.unlink()
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        first.write_bytes({"flipped": flipped, "half": data[:middle], "empty": b""}[damage])
    table(plan)
    assert counted.calls == 2


def test_shards_of_other_code_are_detected_again(plan: Plan, counted: Counted) -> None:
    cut_short(plan, counted, 2)
    job = job_of(plan)
    attempt = Ledger(Path(job.store)).begin(job.kind, job.id, job.identity, "other code")
    context = replace_context(plan, attempt)
    assert detect._finished(context) == {}
    assert len(detect._finished(replace_context(plan, replace(attempt, source=job.source)))) == 2


def replace_context(plan: Plan, attempt):
    from grid.plan.inputs import InputResolver
    from grid.stages.context import Context

    return Context(attempt.ledger, attempt, InputResolver(store_of(plan.grid)), {})


def test_the_table_has_a_row_for_every_image_in_the_order_of_the_dataset(ran: Any) -> None:
    table = Detections.load(ran.path("detect:data", "detections.parquet"))
    resolver = InputResolver(ran.store)
    data = ran.stages["detect:data"].node.config["detection"].data
    assert table.keys == tuple(resolver.manifest(data).keys)
    facts = ran.marker("detect:data").facts
    assert facts == {"images": 20, "found": int(table.found.sum()), "missing": 20 - int(table.found.sum())}


def test_each_dataset_has_a_detection_of_its_own(ran: Any) -> None:
    counts = {label: ran.marker(label).facts["images"] for label in ran.stages if label.startswith("detect")}
    assert counts == {"detect:source": 15, "detect:data": 20, "detect:drawn": 18}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "detect returned None; expected a list of 2 Detections, one per image"),
        ([MISSED], "detect returned a list of length 1; expected a list of 2 Detections"),
        ([MISSED, (0, 0, 9, 9)], "detect returned a list with a tuple of length 4; expected Detections"),
    ],
)
def test_a_wrong_detection_names_the_detector(found: Any, said: str) -> None:
    with pytest.raises(ContractError, match=f"^detector 'mylab.eyes': {said}.*docs/extending/detector.md$"):
        checked_faces(found, 2, "mylab.eyes")
    assert checked_faces([MISSED, MISSED], 2, "mylab.eyes") == [MISSED, MISSED]


def test_few_large_images_are_decoded_at_once_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [10, 10, 40, 10, 10, 10]
    manifest = SimpleNamespace(widths=sides, heights=sides)
    faces: Any = SimpleNamespace(manifest=manifest, image=lambda row: row)
    monkeypatch.setattr(detect, "PIXELS", 250)
    assert list(detect._images(faces, [(0, 4), (4, 6)])) == [[0, 1], [2], [3], [4, 5]]
    monkeypatch.setattr(detect, "PIXELS", 1 << 25)
    assert list(detect._images(faces, [(1, 4), (5, 6)])) == [[1, 2, 3], [5]]
    assert list(detect._images(faces, [])) == []


@pytest.mark.parametrize("listed", [False, True])
def test_landmarks_that_a_dataset_lists_take_the_place_of_the_detector(
    make: Callable[..., Grid], counted: Counted, tmp_path: Path, listed: bool
) -> None:
    drawn = ijb_folder.write(tmp_path / "ijb", "ijbc")
    data = {"name": "ijb", "root": str(tmp_path / "ijb")}
    external = {"name": "external", "path": str(save(tmp_path / "a.onnx", network())), "dimension": 4}
    base = {"data": data, "recipe": "none", "backbone": external, "head": {"name": "gmp", "dimension": 4}}
    base |= {"pretraining": "external", "detector": {"name": "mtcnn", "alignment": "similarity", "listed": listed}}
    grid = make(axes={}, base=base, protocols=[{"name": "ijb", "root": data["root"]}], explainers=[])
    InputResolver(store_of(grid)).scan(resolve("data", data))
    plan = make_plan(grid)
    counted.last = 0 if listed else 10**9
    found = table(plan)
    rows = {key: np.array(found.row(key).landmarks) for key in drawn.points}
    same = [rows[key].shape == (5, 2) and np.allclose(rows[key], points, atol=1e-3) for key, points in drawn.points.items()]
    assert (all(same), counted.calls > 0) == (listed, not listed)
    (tmp_path / "ijb" / "meta" / "ijbc_name_5pts_score.txt").write_text(
        "".join(f"{key} {' '.join(map(str, range(10)))} 0.9\n" for key in drawn.points)
    )
    assert (job_of(make_plan(grid)).id != job_of(plan).id) == listed

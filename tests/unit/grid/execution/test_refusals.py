"""What a plan says about a launch that would be refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from small import finish, finish_all, folder

from grid.execution.refusals import refusals
from grid.ledger.sealed import seal
from grid.ledger.store import LocalStore
from grid.ledger.study import RECORD
from grid.plan.plan import make_plan
from grid.spec.grid_file import Grid

PLAIN = {"name": "dense", "dimension": 8, "hidden": [], "dropout": 0, "activation": "linear"}


@pytest.fixture
def said(make: Callable[..., Grid], tmp_path: Path) -> Callable[..., list[str]]:
    return lambda *overrides, **parts: refusals(
        make_plan(make(f"launch.study={tmp_path / 'studies/one'}", *overrides, **{"axes": {}, **parts}))
    )


def test_of_a_launch_that_would_begin_nothing_is_said_and_nothing_is_made(
    said: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert said() == []
    assert said("launch.executor=local", "launch.notify='true'", "launch.address=127.0.0.1:1") == [
        "launch.address '127.0.0.1:1' is of a Ray cluster, and launch.executor is local; leave one out"
    ]
    assert not (tmp_path / "studies").exists()


def test_each_reason_is_one_line(said: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = said("launch.executor=raay", "launch.notify=nope", f"launch.store={tmp_path / 'file'}", "launch.tracking=runs")
    assert [line.partition(":")[0].partition(" ")[0] for line in found] == [
        "launch.executor", "launch.notify", "launch.store", "launch.tracking",
    ]  # fmt: skip
    assert all("\n" not in line for line in found)


def test_claims_are_checked_as_far_as_they_can_be_without_results(said: Callable[..., list[str]], tmp_path: Path) -> None:
    file = tmp_path / "claims.yaml"
    wrong = {
        "claims: [{claim: a, below: 1, wher: {}}]": "wher",
        "claims: [{claim: a, below: 1, where: {rate: low}}]": "claim 'a': unknown axis 'rate'",
        "claims: [{claim: a, order: [{}, {}], for_each: [rate]}]": "claim 'a': for_each: no axis 'rate'",
    }
    assert said(f"launch.claims={file}") == [f"launch.claims: {file}: no such file of claims"]
    for text, words in wrong.items():
        file.write_text(text)
        (line,) = said(f"launch.claims={file}")
        assert line.startswith("launch.claims: ")
        assert words in line
    file.write_text("claims: [{claim: a, below: 1, metric: aux}]")
    assert said(f"launch.claims={file}") == [], "which metrics there are is known with the results"


def test_a_lost_store_is_one(said: Callable[..., list[str]], tmp_path: Path) -> None:
    study = tmp_path / "studies/one"
    record = {"store": "store", "store_id": "a" * 32}
    LocalStore(study).put(RECORD, seal(record))
    (line,) = said()
    assert line.startswith(f"{study / RECORD}: key store: no folder {study / 'store'}, where the results of this study are")


def test_devices_that_the_trainings_cannot_have_are_said(said: Callable[..., list[str]]) -> None:
    parts = "launch.resources.gpus=0.5"
    whole = "each device is a whole GPU; set it to 1, or to 0 for the CPU"
    assert said("compute.devices=2", parts) == [f"compute.devices is 2, and launch.resources.gpus is 0.5 for train: {whole}"]
    assert said("compute.devices=2", "launch.stage_resources={train: {gpus: 0.25}}") == [
        f"compute.devices is 2, and launch.stage_resources.train.gpus is 0.25: {whole}"
    ]
    (line,) = said("compute.devices=2", parts, "launch.devices=auto", base={"head": PLAIN})
    assert line.startswith("launch.devices is auto, and launch.resources.gpus is 0.5 for train: each")
    source = {"name": "drawn", "first": 4, "subjects": 4, "shots": 4}
    pretrained = {"pretraining": {"name": "source", "epochs": 1, "data": source}}
    whole_train = "launch.stage_resources={train: {gpus: 1}}"
    assert said("compute.devices=2", parts, whole_train, base=pretrained) == [
        f"compute.devices is 2, and launch.resources.gpus is 0.5 for pretrain: {whole}"
    ]
    for fine in (
        [parts],  # one device
        ["compute.devices=2"],
        ["compute.devices=2", parts, "launch.executor=local"],
        ["compute.devices=2", parts, whole_train],
        ["compute.devices=2", whole_train, "launch.stage_resources={pretrain: {gpus: 0.5}}"],  # there is none
    ):
        assert said(*fine) == [], fine
    (line,) = said("compute.devices=4", "launch.devices=2", base={"head": "gap_bn"})
    assert line.startswith("launch.devices is 2: the numbers of ")


def test_a_store_that_other_processes_do_not_see_is_said(said: Callable[..., list[str]]) -> None:
    memory = "launch.store=memory://here"
    assert said(memory) == ["launch.store memory://here: Ray's processes do not see it; choose launch.executor=local"]
    assert said(memory, "launch.executor=local") == []
    assert said(memory, "launch.executor=local", "compute.devices=2") == [
        "launch.store memory://here: the 2 processes of compute.devices do not share it; use a folder"
    ]


def test_nothing_is_said_of_devices_where_nothing_is_to_run(make: Callable[..., Grid]) -> None:
    grid = make("compute.devices=2", "launch.resources.gpus=0.5", axes={})
    train, *_ = make_plan(grid).stages
    assert len(refusals(make_plan(grid))) == 1
    finish(grid, train)
    assert len(make_plan(grid).open) == 2
    assert refusals(make_plan(grid)) == [], "no training is left"
    assert refusals(finish_all(grid)) == []


def test_cells_whose_images_were_not_read_yet_count(make: Callable[..., Grid], tmp_path: Path) -> None:
    data = {"name": "folder", "root": folder(tmp_path / "faces", 100)}
    plan = make_plan(make("compute.devices=2", "launch.resources.gpus=0.5", axes={}, base={"data": data}))
    assert {cell.state for cell in plan.cells} == {"pending"}
    assert len(refusals(plan)) == 1

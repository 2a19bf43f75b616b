"""A training that measures its loader and its step has the numbers of one that does not."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from datamodules import loader_workers
from datamodules.augmentations.batch import Batch
from datamodules.datamodule import FaceDataModule
from grid.execution.job import Begun, RunOptions, begin, jobs_of, run
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import Grid
from grid.spec.training import Compute
from grid.stages import measured_loader
from grid.stages.measured_loader import LOGGER, MeasuredLoader, loader_callbacks
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.step_time import STEPS
from modules.training.stopped import Stopped
from modules.training.trainer import fit, network_weights

COUNT, SIZE, CLASSES, BATCH = 22, 32, 4, 4
RECIPE = resolve("recipe", {"name": "one_cycle", "epochs": 2, "batch_size": BATCH, "lr": 0.05})


class Crops:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> np.ndarray:
        return np.array(self.images[index])


class Net(nn.Module):
    """With batch normalization and dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, CLASSES))

    def forward(self, images: Any) -> Any:
        return self.out(self.body(images))

    def loss_of(self, images: Any, labels: Any) -> Any:
        return nn.functional.cross_entropy(self(images), labels)


def data(crops: Any = None, augmentation: str = "basic") -> FaceDataModule:
    built = resolve("augmentation", augmentation).build()
    return FaceDataModule(crops or Crops(), np.arange(COUNT) % CLASSES, range(2, COUNT), range(2), built, BATCH, seed=3)


def trained(
    folder: Path, *callbacks: Any, checkpoint: Path | None = None, stop: int | None = None, augmentation: str = "basic"
) -> Any:
    """History, weights, and the number of loader processes."""
    folder.mkdir(exist_ok=True)
    faces = data(augmentation=augmentation)
    recognizer = Recognizer(Net(), RECIPE, seed=5, steps_per_epoch=faces.steps_per_epoch)

    def save(epoch: int, batch: int | None, write: Any, row: Any) -> None:
        write(folder / "last.ckpt")

    saving = Checkpointing(save, stop_requested=lambda: (recognizer.epoch, recognizer.batch) == (0, stop))
    torch.manual_seed(11)  # the state that probes must keep
    try:
        fit(recognizer, faces, checkpoint=checkpoint, callbacks=[*callbacks, saving], threads=1)
    except Stopped:
        assert stop is not None
    history = [{**row} for row in recognizer.history]
    return SimpleNamespace(history=history, weights=network_weights(folder / "last.ckpt"), workers=faces.workers)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return trained(tmp_path_factory.mktemp("plain"))


def equal(one: Any, other: Any) -> bool:
    return one.history == other.history and all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("wanted", [0, 1])
def test_the_numbers_are_those_without_it_bit_for_bit(
    wanted: int, plain: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the times of this machine lead to."""
    times: list[tuple[float, float, float]] = []

    def needed(*measured: float) -> int:
        times.append(measured)  # type: ignore[arg-type]
        return wanted

    monkeypatch.setattr(measured_loader, "workers_needed", needed)
    found = trained(tmp_path, MeasuredLoader(reserved=1.0))
    assert equal(found, plain)
    ((load, step, host),) = times
    assert load > 0
    assert 0 < host <= step
    assert plain.workers == 0
    assert found.workers == min(wanted, loader_workers.most_workers(1.0))
    (line,) = [record.getMessage() for record in caplog.records if record.name == LOGGER]
    assert re.fullmatch(r"loader: \S+ ms a batch, step: \S+ ms, \S+ ms of them busy: [01] process(es)?( \(.*\))?", line)


def test_a_training_that_resumes_measures_again_with_equal_numbers(plain: Any, tmp_path: Path) -> None:
    trained(tmp_path, MeasuredLoader(None), stop=3)
    found = trained(tmp_path, MeasuredLoader(None), checkpoint=tmp_path / "last.ckpt")
    assert equal(found, plain)


def test_what_the_device_does_to_a_batch_belongs_to_the_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(tmp_path / "plain", augmentation="batch")
    measured, applied = measured_loader.step_time, 0
    apply = Batch.apply

    def counted(self: Batch, images: Any, parameters: Any) -> Any:
        nonlocal applied
        applied += 1
        return apply(self, images, parameters)

    def measuring(*asked: Any) -> Any:
        before = applied
        found = measured(*asked)
        assert applied == before + 2 + STEPS, "once in each timed step"
        return found

    monkeypatch.setattr(Batch, "apply", counted)
    monkeypatch.setattr(measured_loader, "step_time", measuring)
    assert equal(trained(tmp_path / "measured", MeasuredLoader(None), augmentation="batch"), plain)
    assert " ms a batch, step: " in caplog.text


def test_where_measuring_fails_the_rule_stays_and_the_training_goes_on(
    plain: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        torch.rand(3)
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(measured_loader, "step_time", fails)
    found = trained(tmp_path, MeasuredLoader(None))
    assert equal(found, plain)
    assert found.workers == 0
    assert "loader: not measured (OutOfMemoryError: CUDA out of memory" in caplog.text
    assert caplog.text.endswith("0 processes\n")


def test_an_error_of_the_images_is_that_of_the_training(tmp_path: Path) -> None:
    class Broken(Crops):
        def __getitem__(self, index: int) -> np.ndarray:
            raise ValueError("an image cannot be read")

    faces = data(Broken())
    with pytest.raises(ValueError, match="an image cannot be read"):
        fit(Recognizer(Net(), RECIPE, 5, faces.steps_per_epoch), faces, callbacks=[MeasuredLoader(None)], threads=1)


@pytest.mark.parametrize(
    ("measured", "compute", "devices", "measures", "said"),
    [
        (False, {}, 1, False, ""),
        (True, {}, 1, True, ""),
        (True, {}, 2, False, "loader: not measured with 2 devices: 8 processes"),
        (True, {"compile": True}, 1, False, "loader: not measured with compute.compile: 8 processes"),
    ],
)
def test_what_cannot_be_measured_safely_keeps_the_rule_and_says_so(
    measured: bool, compute: Any, devices: int, measures: bool, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    context: Any = SimpleNamespace(measures_loader=measured, fast=False, helper=None, workers=8, cpus=4.0)
    with caplog.at_level(logging.INFO, LOGGER):
        found = loader_callbacks(context, Compute(**compute), devices)
    assert bool(found) is measures
    assert [one.reserved for one in found] == [4.0] * measures
    assert said in caplog.text
    assert bool(caplog.text) is bool(said)


def test_a_quick_check_measures_nothing() -> None:
    context: Any = SimpleNamespace(measures_loader=True, fast=True, helper=None, workers=8, cpus=4.0)
    assert loader_callbacks(context, Compute(), 1) == []


def test_on_a_gpu_a_training_measures_where_the_number_is_not_given(make: Callable[..., Grid]) -> None:
    """The GPU is only claimed here: a context is made, and nothing runs."""
    grid = make()
    (stage, *_) = [stage for stage in make_plan(grid).stages if stage.stage == "train" and not stage.needs]
    found = []
    for workers, accelerator in (("auto", "gpu"), ("auto", "cpu"), (3, "gpu")):
        (job,) = jobs_of([stage], store_of(grid), workers=workers).values()
        begun = begin(job)
        assert isinstance(begun, Begun)
        context = begun.context(RunOptions(accelerator=accelerator, reserved={"CPU": 4.0, "GPU": 1.0}))
        found.append((context.measures_loader, context.cpus, context.workers))
        begun.attempt.close()
    assert found == [(True, 4.0, loader_workers.loader_workers("auto", "gpu", 1)), (False, 4.0, 0), (False, 4.0, 3)]


def test_the_line_is_in_the_log_of_the_stage(make: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
    grid = make(
        base={
            "backbone": small,
            "input": {"size": 32},
            "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 1, "batch_size": 4},
        }
    )
    (stage, *_) = [stage for stage in make_plan(grid).stages if stage.stage == "train" and not stage.needs]
    (job,) = jobs_of([stage], store_of(grid)).values()
    made = Begun.context

    def measuring(self: Begun, options: RunOptions) -> Any:
        context = made(self, options)
        context.measures_loader = True
        return context

    monkeypatch.setattr(Begun, "context", measuring)
    assert run(job, RunOptions(raises=True)).ended == "done"
    text = "".join(path.read_text() for path in store_of(grid).glob("train/*/*/log/*.jsonl"))
    assert " ms a batch, step: " in text

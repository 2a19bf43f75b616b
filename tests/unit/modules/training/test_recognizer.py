"""A resumed training equals the undisturbed one, bit by bit."""

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from modules.recipes import one_cycle, plateau
from modules.training.checkpointing import Checkpointing
from modules.training.nonfinite import NonFiniteLoss
from modules.training.recognizer import Recognizer, step_seed
from modules.training.stopped import Stopped
from modules.training.trainer import fit, network_weights

IMAGES, BATCH, CLASSES = 26, 4, 3
STEPS = math.ceil(IMAGES / BATCH)


class Tiny(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(4, CLASSES)

    def forward(self, images):
        return self.out(self.drop(self.body(images)))

    def loss_of(self, images, labels):
        return nn.functional.cross_entropy(self(images), labels)


class Sampler:
    """(epoch, row) in an order by epoch; batches that were done are left out, the length is unchanged."""

    def __init__(self, epoch, start):
        self.epoch, self.start = epoch, start

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return IMAGES

    def __iter__(self):
        rows = np.random.default_rng(self.epoch).permutation(IMAGES).tolist()
        done = self.start[1] * BATCH if self.start[0] == self.epoch else 0
        return iter([(self.epoch, row) for row in rows[done:]])


class Faces(torch.utils.data.Dataset):
    def __init__(self, noisy):
        self.noisy = noisy

    def __getitem__(self, key):
        epoch, row = key if self.noisy else (0, key)
        generator = torch.Generator().manual_seed(1000 * row + (epoch if self.noisy else 0))
        return torch.randn(3, 6, 6, generator=generator) + row % CLASSES, row % CLASSES

    def __len__(self):
        return IMAGES


class Data(pl.LightningDataModule):
    def __init__(self, workers=0):
        super().__init__()
        self.workers = workers
        self.start = (0, 0)

    def start_batch(self, epoch, batch):
        self.start = (epoch, batch)

    def train_dataloader(self):
        sampler = Sampler(self.trainer.current_epoch, self.start)
        return torch.utils.data.DataLoader(Faces(True), BATCH, sampler=sampler, num_workers=self.workers)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(Faces(False), batch_size=5)


class Store:
    """Keeps every checkpoint under its position."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.rows = []
        folder.mkdir(exist_ok=True)

    def __call__(self, epoch, batch, write, row):
        write(self.folder / (f"{epoch}.ckpt" if batch is None else f"{epoch}-{batch}.ckpt"))
        if row is not None:
            self.rows.append(row)


class StopAt:
    """True once, at the n-th question."""

    def __init__(self, questions):
        self.left = questions

    def __call__(self):
        self.left -= 1
        return self.left == 0


PLATEAU = plateau.PlateauConfig(epochs=6, batch_size=BATCH, patience=1, min_delta=0.5, factor=0.5, stop_after=None, lr=0.05)
CYCLE = one_cycle.OneCycleConfig(epochs=6, batch_size=BATCH, clip=1.0, optimizer="adamw", lr=0.02, channels_last=True)


def run(recipe, store, checkpoint=None, stop=None, workers=0, seed=7, minutes=None):
    recognizer = Recognizer(Tiny(), recipe, seed=seed, steps_per_epoch=STEPS)
    if checkpoint is not None:  # a resumed training owes nothing to how its objects began
        with torch.no_grad():
            for parameter in recognizer.parameters():
                parameter.fill_(9.0)
        torch.manual_seed(123456)
    callback = Checkpointing(store, stop_requested=stop, minutes=minutes)
    data = Data(workers)
    try:
        fit(recognizer, data, checkpoint=checkpoint, callbacks=[callback], threads=1)
    except Stopped:
        assert stop is not None
    return recognizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The undisturbed trainings, by recipe name."""
    found = {}
    for recipe in (PLATEAU, CYCLE):
        store = Store(tmp_path_factory.mktemp("whole") / "ck")
        found[recipe.name] = (run(recipe, store), store)
    return found


def same(one, other):
    assert one.history == other.history
    a, b = one.state_dict(), other.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("recipe", [PLATEAU, CYCLE], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("epoch", [0, 2, 3, 4])
def test_resumed_after_an_epoch_equals_undisturbed(whole, tmp_path, recipe, epoch):
    undisturbed, store = whole[recipe.name]
    resumed = run(recipe, Store(tmp_path / "ck"), checkpoint=store.folder / f"{epoch}.ckpt")
    same(undisturbed, resumed)
    assert resumed.trainer.global_step == 6 * STEPS


def test_channels_last_is_the_layout_of_weights_and_images():
    class Seen(Tiny):
        def loss_of(self, images, labels):
            layouts.append(images.is_contiguous(memory_format=torch.channels_last))
            return super().loss_of(images, labels)

    for wanted in (True, False):
        layouts: list[bool] = []
        recipe = CYCLE.model_copy(update={"epochs": 1, "channels_last": wanted})
        recognizer = Recognizer(Seen(), recipe, seed=7, steps_per_epoch=STEPS)
        fit(recognizer, Data(), threads=1)
        weight = recognizer.network.body[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) is wanted
        assert weight.is_contiguous() is not wanted
        assert set(layouts) == {wanted}


def test_the_rate_falls_where_the_resumed_trainings_begin(whole):
    lrs = [row["lr"] for row in whole["plateau"][0].history]
    assert lrs[0] > lrs[2] > lrs[4]


@pytest.mark.parametrize("recipe", [PLATEAU, CYCLE], ids=lambda recipe: recipe.name)
@pytest.mark.parametrize(("question", "name"), [(1, "0-1"), (2 * STEPS + 3, "2-3"), (3 * STEPS + STEPS - 1, "3-6")])
def test_resumed_within_an_epoch_equals_undisturbed(whole, tmp_path, recipe, question, name):
    # The last step of an epoch is not asked about, but the epoch's end is: STEPS questions an epoch.
    store = Store(tmp_path / "ck")
    stopped = run(recipe, store, stop=StopAt(question))
    assert (stopped.epoch, stopped.batch) == tuple(int(part) for part in name.split("-"))
    resumed = run(recipe, store, checkpoint=store.folder / f"{name}.ckpt")
    same(whole[recipe.name][0], resumed)
    assert resumed.trainer.global_step == 6 * STEPS


def test_resumed_twice_within_one_epoch_equals_undisturbed(whole, tmp_path):
    store = Store(tmp_path / "ck")
    run(PLATEAU, store, stop=StopAt(STEPS + 2))
    run(PLATEAU, store, checkpoint=store.folder / "1-2.ckpt", stop=StopAt(2))
    same(whole["plateau"][0], run(PLATEAU, store, checkpoint=store.folder / "1-4.ckpt"))


def test_resumed_with_loading_processes_equals_undisturbed_without(whole, tmp_path):
    store = whole["plateau"][1]
    same(whole["plateau"][0], run(PLATEAU, Store(tmp_path / "ck"), checkpoint=store.folder / "3.ckpt", workers=1))


def test_a_stop_after_an_epoch_saves_it_first(tmp_path):
    store = Store(tmp_path / "ck")
    run(PLATEAU, store, stop=StopAt(STEPS))
    assert [row["epoch"] for row in store.rows] == [0]
    assert sorted(path.name for path in store.folder.iterdir()) == ["0.ckpt"]


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    recipe = plateau.PlateauConfig(epochs=6, batch_size=BATCH, min_delta=9.0, stop_after=2)
    store = Store(tmp_path / "ck")
    first = run(recipe, store)
    assert len(first.history) == 3
    again = run(recipe, store, checkpoint=store.folder / "2.ckpt")
    same(first, again)
    assert len(store.rows) == 3


def test_a_finished_training_does_nothing_more(whole, tmp_path):
    undisturbed, store = whole["plateau"]
    again = Store(tmp_path / "ck")
    same(undisturbed, run(PLATEAU, again, checkpoint=store.folder / "5.ckpt"))
    assert again.rows == []


def test_another_seed_draws_other_dropout(whole, tmp_path):
    assert run(PLATEAU, Store(tmp_path / "ck"), seed=8).history != whole["plateau"][0].history


def test_step_seeds_differ_in_every_part():
    seeds = {step_seed(a, b, c, d) for a in range(3) for b in range(3) for c in range(3) for d in range(3)}
    assert len(seeds) == 81
    assert step_seed(1, 2, 3, 0) == 6065472413412056399


def test_validation_is_the_mean_over_all_images(whole):
    recognizer, store = whole["plateau"]
    network = Tiny()
    network.load_state_dict(network_weights(store.folder / "5.ckpt"))
    network.eval()
    images, labels = zip(*(Faces(False)[row] for row in range(IMAGES)), strict=True)
    logits = network(torch.stack(images)).detach().double()
    losses = [float(torch.logsumexp(row, 0) - row[label]) for row, label in zip(logits, labels, strict=True)]
    row = recognizer.history[-1]
    assert row["validation_loss"] == pytest.approx(sum(losses) / IMAGES, rel=1e-6)
    assert row["validation_accuracy"] == sum(int(a.argmax()) == b for a, b in zip(logits, labels, strict=True)) / IMAGES


def test_best_marks_the_lowest_validation_loss_so_far(whole):
    losses = [row["validation_loss"] for row in whole["one_cycle"][0].history]
    best = [row["best"] for row in whole["one_cycle"][0].history]
    assert best == [all(loss < earlier for earlier in losses[:i]) for i, loss in enumerate(losses)]


def test_a_row_carries_its_timing_apart_from_the_history(whole):
    recognizer, store = whole["plateau"]
    assert {"seconds", "time"} <= store.rows[0].keys()
    assert not {"seconds", "time"} & recognizer.history[0].keys()


class Poisoned(Tiny):
    def loss_of(self, images, labels):
        self.calls = getattr(self, "calls", 0) + 1
        return super().loss_of(images, labels) * (float("nan") if self.calls == STEPS + 3 else 1.0)


def test_a_loss_that_is_no_number_names_epoch_and_step():
    recognizer = Recognizer(Poisoned(), PLATEAU, seed=0, steps_per_epoch=STEPS)
    with pytest.raises(NonFiniteLoss, match=rf"training loss is nan in epoch 1 after {STEPS + 2} steps"):
        fit(recognizer, Data(), threads=1)


def test_saving_every_minute_saves_within_the_epoch(tmp_path):
    store = Store(tmp_path / "ck")
    run(PLATEAU.model_copy(update={"epochs": 1}), store, minutes=0.0)
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "0-1.ckpt",
        *(f"0-{k}.ckpt" for k in range(2, STEPS)),
        "0.ckpt",
    ]


def test_a_training_that_is_to_leave_ends_with_the_next_save(whole, tmp_path):
    asked = []

    def leaving(at):
        asked.append(sorted(path.name for path in store.folder.iterdir()))
        return len(asked) == at

    for minutes, at, name in ((None, 2, "1"), (0.0, 3, "0-3"), (0.0, STEPS, "0")):
        store = Store(tmp_path / name)
        asked.clear()
        recognizer = Recognizer(Tiny(), PLATEAU, seed=7, steps_per_epoch=STEPS)
        callback = Checkpointing(store, leaving=lambda at=at: leaving(at), minutes=minutes)
        with pytest.raises(Stopped):
            fit(recognizer, Data(), callbacks=[callback], threads=1)
        assert f"{name}.ckpt" in asked[-1], "it was saved before"
        assert len(asked) == at, "after each save, and never else"
        same(whole["plateau"][0], run(PLATEAU, store, checkpoint=store.folder / f"{name}.ckpt"))


def test_nothing_leaves_after_the_last_epoch(tmp_path):
    store = Store(tmp_path / "ck")
    recognizer = Recognizer(Tiny(), PLATEAU.model_copy(update={"epochs": 1}), seed=7, steps_per_epoch=STEPS)
    fit(recognizer, Data(), callbacks=[Checkpointing(store, leaving=lambda: True)], threads=1)
    assert len(store.rows) == 1


def test_progress_counts_the_batches_of_an_epoch():
    seen = []
    callback = Checkpointing(
        lambda epoch, batch, write, row: write(Path("/dev/null")),
        progress=lambda *row: seen.append(row),
        progress_seconds=0.0,
    )
    recognizer = Recognizer(Tiny(), PLATEAU.model_copy(update={"epochs": 1}), seed=0, steps_per_epoch=STEPS)
    fit(recognizer, Data(), callbacks=[callback], threads=1)
    assert [row[:3] for row in seen] == [(0, k, STEPS) for k in range(1, STEPS + 1)]
    assert seen[-1][3]["train_loss"] == recognizer.history[0]["train_loss"]


def test_fit_leaves_the_process_as_it_was():
    torch.manual_seed(5)
    before = torch.get_rng_state(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    recognizer = Recognizer(Tiny(), PLATEAU.model_copy(update={"epochs": 1}), seed=0, steps_per_epoch=STEPS)
    torch.set_rng_state(before[0])
    fit(recognizer, Data(), threads=1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.are_deterministic_algorithms_enabled(), torch.get_num_threads())


@pytest.mark.parametrize(("tf32", "deterministic"), [(False, True), (True, False), (False, "warn")])
def test_tf32_and_determinism_are_those_that_were_asked_for(tf32, deterministic):
    class Seen(Tiny):
        def loss_of(self, images, labels):
            warns = torch.is_deterministic_algorithms_warn_only_enabled()
            found.add((torch.backends.cudnn.allow_tf32, "warn" if warns else torch.are_deterministic_algorithms_enabled()))
            return super().loss_of(images, labels)

    found: set[object] = set()
    before = torch.backends.cudnn.allow_tf32
    recognizer = Recognizer(Seen(), PLATEAU.model_copy(update={"epochs": 1}), seed=0, steps_per_epoch=STEPS)
    fit(recognizer, Data(), threads=1, tf32=tf32, deterministic=deterministic)
    assert found == {(tf32, deterministic)}
    assert torch.backends.cudnn.allow_tf32 == before


def test_lightning_says_nothing(tmp_path):
    file = Path(__file__)
    code = f"""
import importlib.util, sys, pathlib
spec = importlib.util.spec_from_file_location("t", {str(file)!r})
t = importlib.util.module_from_spec(spec); sys.modules["t"] = t; spec.loader.exec_module(t)
store = t.Store(pathlib.Path({str(tmp_path)!r}) / "ck")
t.run(t.PLATEAU, store, stop=t.StopAt(3))
t.run(t.PLATEAU.model_copy(update={{"epochs": 1}}), store, checkpoint=store.folder / "0-3.ckpt")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=file.parents[3], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_sigterm_saves_before_it_stops(whole, tmp_path):
    store = Store(tmp_path / "ck")

    def progress(epoch, step, steps, metrics):
        if (epoch, step) == (1, 3):
            os.kill(os.getpid(), signal.SIGTERM)

    recognizer = Recognizer(Tiny(), PLATEAU, seed=7, steps_per_epoch=STEPS)
    with pytest.raises(Stopped, match="epoch 1 after 3 of 7 batches"):
        fit(recognizer, Data(), callbacks=[Checkpointing(store, progress=progress, progress_seconds=0.0)], threads=1)
    same(whole["plateau"][0], run(PLATEAU, store, checkpoint=store.folder / "1-3.ckpt"))

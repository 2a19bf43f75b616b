"""A training does not wait for its device in every step: the number of values read on the host does not grow with the steps."""

import numpy as np
import pytest
import torch
from row_data import RowData
from torch.utils._python_dispatch import TorchDispatchMode

from configs.lookup import resolve
from datamodules.datamodule import FaceDataModule
from modules.backbones.alexnet import AlexNetConfig
from modules.heads.gap_bn import GapBnConfig
from modules.layers.synchronized_batch_norm import synchronize
from modules.losses.arcface import ArcFaceConfig
from modules.losses.center import CenterConfig
from modules.losses.softmax import SoftmaxConfig
from modules.losses.sum import SumConfig
from modules.losses.triplet import TripletConfig
from modules.network import Network
from modules.recipes import one_cycle
from modules.targets import TargetsConfig
from modules.training.checkpointing import Checkpointing
from modules.training.ranks import one_of
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit

SIDE, BATCH = 64, 4
WAITS = ("_local_scalar_dense", "nonzero", "unique", "masked_select", "is_nonzero", "equal", "bincount", "repeat_interleave")


class Reads(TorchDispatchMode):
    """Counts operations for which the host waits for a GPU: their result, or its shape, is needed to go on.

    The int32 numbers of which parameters have a gradient, which DDP reads, are on the host; ``maps`` counts their copies.
    """

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self.maps = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function._schema.name.removeprefix("aten::")
        index = args[1] if name in ("index", "index_put", "index_put_") else ()
        masked = any(isinstance(one, torch.Tensor) and one.dtype == torch.bool for one in index)
        first = args[0] if args else None
        of_map = isinstance(first, torch.Tensor) and first.dtype == torch.int32
        self.maps += name == "copy_" and of_map
        if masked or (any(word in name for word in WAITS) and not of_map):
            self.found.append(name)
        return function(*args, **(kwargs or {}))


class Data(RowData):
    """Two images of each of two identities in every batch."""

    def __init__(self, batches, targets):
        generator = torch.Generator().manual_seed(1)
        labels = torch.arange(batches * BATCH) % 2
        if targets:  # an age, unknown in each first row, and the identity
            ages = torch.arange(batches * BATCH).float().masked_fill(torch.arange(batches * BATCH) % BATCH == 0, torch.nan)
            labels = torch.stack([ages, labels.float()], 1)
        super().__init__([(torch.randn(3, SIDE, SIDE, generator=generator), label) for label in labels], BATCH)


def reads(loss, batches, backbone=None, **recipe):
    chosen = one_cycle.OneCycleConfig(epochs=1, batch_size=BATCH, optimizer="sgd", lr=0.01, **recipe)
    targets = isinstance(loss, TargetsConfig)
    classes = {"age": 0, "identity": 2} if targets else 2
    network = Network(backbone or AlexNetConfig(), GapBnConfig(dimension=8), loss, classes, SIDE)
    if targets:
        network.loss.prepare(torch.tensor([[30.0, 0.0], [50.0, 1.0]]))
    recognizer = Recognizer(network, chosen, seed=0, steps_per_epoch=batches)
    with Reads() as counted:
        fit(recognizer, Data(batches, targets), threads=1)
    return counted.found


LOSSES = {
    "softmax": SoftmaxConfig(),
    "arcface": ArcFaceConfig(),
    "triplet": TripletConfig(),
    "targets": TargetsConfig(parts={"age": {"loss": "regression"}, "identity": {"loss": "softmax"}}),
    "softmax and center": SumConfig(terms=[{"loss": SoftmaxConfig()}, {"loss": CenterConfig(), "weight": 0.1}]),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_number_of_host_reads_does_not_depend_on_the_number_of_steps(name):
    assert reads(LOSSES[name], 2) == reads(LOSSES[name], 4)


def test_clipping_and_an_average_read_nothing():
    assert reads(SoftmaxConfig(), 2, clip=1.0, ema=0.9) == reads(SoftmaxConfig(), 4, clip=1.0, ema=0.9)


def test_nor_does_an_auxiliary_classification_of_one_of_several_targets():
    abn = resolve("backbone", {"name": "abn", "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}, "maps": 8})
    assert reads(LOSSES["targets"], 2, abn) == reads(LOSSES["targets"], 4, abn)


def faces(batches, targets):
    """Of two ranks; the same as ``Data`` otherwise."""
    rows = np.arange(2 * batches * BATCH)
    labels = rows // 2 % 2
    if targets:
        labels = np.stack([np.where(rows % BATCH == 0, np.nan, rows), labels], 1).astype(np.float32)
    images = np.random.default_rng(0).integers(0, 256, (len(rows), SIDE, SIDE, 3), np.uint8)
    pk = resolve("batches", {"name": "pk", "images": 2})
    plain = resolve("augmentation", "none").build()
    return FaceDataModule(images, labels, rows, [], plain, 2 * BATCH, 0, batches=pk, identities=rows // 2)


def reads_of_a_rank(place, loss, batches, shared=False, synchronized=False, **recipe):
    chosen = one_cycle.OneCycleConfig(epochs=1, batch_size=2 * BATCH, optimizer="sgd", lr=0.01, select="last", **recipe)
    targets = isinstance(loss, TargetsConfig)
    data = faces(batches, targets)
    assert data.steps_per_epoch == batches
    network = Network(AlexNetConfig(), GapBnConfig(dimension=8), loss, {"age": 0, "identity": 2} if targets else 2, SIDE)
    if targets:
        network.loss.prepare(torch.tensor([[30.0, 0.0], [50.0, 1.0]]))
    if shared:
        network.loss.share(0, 2)
    if synchronized:
        synchronize(network)
    recognizer = Recognizer(network, chosen, seed=0, steps_per_epoch=batches)
    saving = Checkpointing(lambda epoch, batch, write, row: write(place), minutes=10, stop_requested=lambda: False)
    with Reads() as counted, one_of(2) as rank:
        fit(recognizer, data, rank=rank, threads=1, callbacks=[saving])
    assert counted.maps <= batches, "copied to the device in each step, and not back"
    return counted.found


RANKS = {
    **{name: (loss, {}) for name, loss in LOSSES.items()},
    "clipping and an average": (SoftmaxConfig(), {"clip": 1.0, "ema": 0.9}),
    "shared classes": (ArcFaceConfig(), {"shared": True, "clip": 1.0}),
    "sampled and shared classes": (ArcFaceConfig(sample=0.5), {"shared": True}),
    "synchronized batch normalization": (SoftmaxConfig(), {"synchronized": True}),
}


@pytest.mark.parametrize("name", RANKS)
def test_nor_on_one_of_several_ranks(name, tmp_path):
    loss, more = RANKS[name]
    few, many = (reads_of_a_rank(tmp_path / "saved", loss, batches, **more) for batches in (3, 6))
    assert few == many


def test_a_read_in_every_step_is_counted():
    class Reading(SoftmaxConfig):
        def build(self, dimension, classes):
            built = super().build(dimension, classes)
            built.register_forward_hook(lambda module, args, found: float(found.detach()) and None)
            return built

    assert len(reads(Reading(), 4)) == len(reads(Reading(), 2)) + 2

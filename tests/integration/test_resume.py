"""The real data, the real network and the real recipe together: a resumed training equals the undisturbed one."""

import numpy as np
import pytest
import torch

from configs.lookup import resolve
from datamodules.datamodule import FaceDataModule
from modules.attribution.targets import ClassLogit
from modules.explainers import gradcam
from modules.network import Network
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.stopped import Stopped
from modules.training.trainer import fit, network_weights

COUNT, SIZE, CLASSES, BATCH = 22, 32, 4, 4
TRAIN = range(2, COUNT)
RECIPE = resolve("recipe", {"name": "plateau", "epochs": 4, "batch_size": BATCH, "patience": 1, "min_delta": 9.0, "lr": 0.05})


class Crops:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), np.uint8)

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return self.images[index]


def network(seed=0):
    torch.manual_seed(seed)
    parts = (
        resolve("backbone", "mobilenetv3_small"),
        resolve("head", {"name": "gap_bn", "dimension": 8}),
        resolve("loss", "softmax"),
    )
    return Network(*parts, classes=CLASSES, size=SIZE)


def run(folder, checkpoint=None, stop_at=None, workers=0):
    augmentation = resolve("augmentation", "flip").build()
    data = FaceDataModule(Crops(), np.arange(COUNT) % CLASSES, TRAIN, range(2), augmentation, BATCH, 3, workers)
    recognizer = Recognizer(network(seed=0 if checkpoint is None else 1), RECIPE, seed=5, steps_per_epoch=data.steps_per_epoch)

    def save(epoch, batch, write, row):
        write(folder / f"{epoch}-{batch}.ckpt")

    def stop():
        return (recognizer.epoch, recognizer.batch) == stop_at

    try:
        fit(recognizer, data, checkpoint=checkpoint, callbacks=[Checkpointing(save, stop_requested=stop)], threads=1)
    except Stopped:
        assert stop_at is not None
    return recognizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run(folder), folder


@pytest.mark.parametrize(("stop_at", "name"), [((2, 0), "1-None"), ((1, 2), "1-2")])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_training_equals_the_undisturbed_one(whole, tmp_path, stop_at, name, workers):
    run(tmp_path, stop_at=stop_at, workers=workers)
    resumed = run(tmp_path, checkpoint=tmp_path / f"{name}.ckpt", workers=workers)
    assert resumed.history == whole[0].history
    one, other = resumed.state_dict(), whole[0].state_dict()
    assert all(torch.equal(one[key], other[key]) for key in other)
    assert len({row["lr"] for row in resumed.history}) > 1


def test_the_kept_weights_make_the_trained_network(whole):
    again = network(seed=2)
    again.load_state_dict(network_weights(whole[1] / "3-None.ckpt"))
    images = torch.randn(3, 3, SIZE, SIZE)
    assert torch.equal(again.eval()(images), whole[0].network.eval()(images))


def test_grad_cam_reads_a_real_backbone():
    found = (
        gradcam.GradCAMConfig()
        .build()
        .explain(network(), torch.randn(2, 3, SIZE, SIZE), ClassLogit(torch.tensor([0, 1])), SIZE)
    )
    assert found.maps.shape[1:] == (4, 4)

"""A decoder that learns alone, on a network that stays as it is to the last bit."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from configs.lookup import resolve
from configs.network_interfaces import BackboneConfig
from modules.network import Network, embedding_digest
from modules.recipes import one_cycle, plateau
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.stopped import Stopped
from modules.training.trainer import fit

SIZE, IMAGES, BATCH = 16, 24, 8
RECIPE = one_cycle.OneCycleConfig(epochs=3, batch_size=BATCH, optimizer="adamw", lr=0.01, trainable="decoder")


class Body(BackboneConfig):
    """Two convolutions with batch normalization: (N, 3, 16, 16) to (N, 8, 4, 4)."""

    name: str = "body"

    def build(self):
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8)]
        made = nn.Sequential(*layers)
        made.channels = 8
        made.stages = lambda: {"last": made[-1]}
        return made


def network():
    """With batch normalization in backbone and head, and statistics as after some training."""
    torch.manual_seed(0)
    head, loss = resolve("head", {"name": "fc_bn", "dimension": 8}), resolve("loss", "softmax")
    decoder = resolve("decoder", {"name": "transposed", "layers": 2, "width": 16})
    made = Network(Body(), head, loss, 3, SIZE, decoder=decoder, reconstruction=1.0)
    for module in made.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.uniform_(-0.1, 0.1)
    return made


class Data(pl.LightningDataModule):
    def __init__(self, labels=None, batch=BATCH):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        labels = torch.arange(IMAGES) % 3 if labels is None else labels
        coarse = torch.rand(IMAGES, 3, 4, 4, generator=generator) * 2 - 1
        self.rows = list(zip(functional.interpolate(coarse, SIZE), labels, strict=True))
        self.batch = batch

    def start_batch(self, epoch, batch):
        assert batch == 0

    def train_dataloader(self):
        return DataLoader(self.rows, self.batch)

    def val_dataloader(self):
        return DataLoader(self.rows, 5)


def trained(recipe=RECIPE, data=None, net=None, **options):
    recognizer = Recognizer(net or network(), recipe, seed=7, steps_per_epoch=IMAGES // BATCH)
    fit(recognizer, data or Data(), threads=1, **options)
    return recognizer


@pytest.fixture(scope="module")
def once():
    return trained()


def test_backbone_head_and_loss_stay_bit_for_bit_and_the_decoder_learns(once):
    before, after = network().state_dict(), once.network.state_dict()
    for name, value in before.items():
        if not name.startswith("decoder."):
            assert torch.equal(value, after[name]), name
    moved = [name for name, value in before.items() if not torch.equal(value, after[name])]
    assert any("running_mean" in name for name in before if name not in moved)
    assert {name for name in before if name.startswith("decoder.") and "num_batches" not in name} <= set(moved)
    assert embedding_digest(before) == embedding_digest(after)
    moving = [parameter for group in once.optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in moving} == {id(parameter) for parameter in once.network.decoder.parameters()}


def test_statistics_that_are_averaged_stay_too():
    recognizer = trained(RECIPE.model_copy(update={"ema": 0.7}))
    assert embedding_digest(network().state_dict()) == embedding_digest(recognizer.evaluated.state_dict())


def test_the_loss_is_the_images_alone(once):
    other = trained(data=Data(torch.zeros(IMAGES, dtype=torch.int64)))  # other subjects, other recognition loss
    assert other.history == once.history
    assert once.history[-1]["train_loss"] < 0.8 * once.history[0]["train_loss"]
    with torch.no_grad():
        images = torch.stack([image for image, _ in Data().rows])
        net = once.network.eval()
        error = (net.decoder(net.backbone(images)) - images).square().mean()
    assert once.history[-1]["validation_loss"] == pytest.approx(float(error), rel=1e-5)
    assert {row["validation_accuracy"] for row in once.history} == {None}


def test_the_best_epoch_can_be_kept_and_ends_a_training():
    recipe = plateau.PlateauConfig(epochs=3, batch_size=BATCH, trainable="decoder", stop_after=1, min_delta=9.0, patience=1)
    assert len(trained(recipe).history) == 2


def test_a_resumed_training_equals_an_undisturbed_one(tmp_path):
    stop = Checkpointing(lambda epoch, batch, write, row: write(tmp_path / "0.ckpt"), stop_requested=lambda: True)
    with pytest.raises(Stopped):
        trained(data=Data(batch=IMAGES), callbacks=[stop])
    resumed = trained(data=Data(batch=IMAGES), checkpoint=tmp_path / "0.ckpt")
    once = trained(data=Data(batch=IMAGES))
    assert resumed.history == once.history
    for name, value in once.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_in_float16_features_beyond_its_range_are_decoded():
    made = network()
    made.backbone[0].weight.data *= 1e4
    made.backbone[3].weight.data *= 1e4
    images = torch.stack([image for image, _ in Data().rows])
    wanted = made.eval().decoding_loss(images)
    with torch.autocast("cpu", torch.float16):
        assert not bool(made.features(images).isfinite().all()), "the features fit into float16, so this proves nothing"
        assert torch.equal(made.decoding_loss(images), wanted)
    assert bool(wanted.isfinite())

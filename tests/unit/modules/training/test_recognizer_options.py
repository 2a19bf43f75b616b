"""What a recipe's options do to a training: parts of a batch, averages, frozen layers, decoders, losses without classes."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional

from modules.recipes import one_cycle
from modules.training.checkpointing import Checkpointing
from modules.training.open_set import verified
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit, network_weights

IMAGES, BATCH = 24, 8
RECIPE = one_cycle.OneCycleConfig(epochs=2, batch_size=BATCH, optimizer="sgd", lr=0.1)


class Small(nn.Module):
    """No normalization over the batch, so that parts of a batch give what the whole gives."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out = nn.Linear(4, 3)

    def embed(self, images):
        return self.head(self.backbone(images))

    def forward(self, images):
        return self.out(self.embed(images))

    def loss_of(self, images, labels):
        return functional.cross_entropy(self(images), labels)


class Data(pl.LightningDataModule):
    """The same batches in every epoch, so that only the recipe decides."""

    def __init__(self, batch):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        labels = torch.arange(IMAGES) % 3
        self.rows = [(torch.randn(3, 6, 6, generator=generator) + labels[row], labels[row]) for row in range(IMAGES)]
        self.batch = batch

    def start_batch(self, epoch, batch):
        assert batch % (BATCH // self.batch) == 0, "a training is resumed between steps of the optimizer"
        self.start = batch

    def train_dataloader(self):
        return torch.utils.data.DataLoader(self.rows, self.batch)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(self.rows, 5)


def trained(recipe, network=None, **options):
    recognizer = Recognizer(network or Small(), recipe, seed=7, steps_per_epoch=IMAGES // BATCH, **options)
    fit(recognizer, Data(recipe.batch_size // recipe.accumulate), threads=1)
    return recognizer


def test_a_batch_in_parts_gives_the_gradient_of_the_whole():
    whole = trained(RECIPE)
    parts = trained(RECIPE.model_copy(update={"accumulate": 4}))
    assert parts.trainer.global_step == whole.trainer.global_step == 2 * IMAGES // BATCH
    for a, b in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert [row["lr"] for row in parts.history] == [row["lr"] for row in whole.history]
    moved = [(a - b).abs().max() for a, b in zip(whole.network.parameters(), Small().parameters(), strict=True)]
    assert max(moved) > 0.01, "a training that moves nothing proves nothing"


def test_a_checkpoint_within_an_epoch_lies_between_steps(tmp_path):
    recipe = RECIPE.model_copy(update={"accumulate": 2})
    positions = []

    def save(epoch, batch, write, row):
        write(tmp_path / f"{epoch}-{batch}.ckpt")
        positions.append((epoch, batch))

    recognizer = Recognizer(Small(), recipe, seed=7, steps_per_epoch=IMAGES // BATCH)
    fit(recognizer, Data(BATCH // 2), callbacks=[Checkpointing(save, minutes=0.0)], threads=1)
    assert [batch for epoch, batch in positions if epoch == 0] == [2, 4, None]


def test_the_average_is_what_is_validated_and_kept(tmp_path):
    recipe = RECIPE.model_copy(update={"ema": 0.5})
    recognizer = Recognizer(Small(), recipe, seed=7, steps_per_epoch=IMAGES // BATCH)
    kept = []
    wanted = {name: value.clone() for name, value in recognizer.network.state_dict().items()}

    def save(epoch, batch, write, row):
        write(tmp_path / "last.ckpt")
        kept.append(network_weights(tmp_path / "last.ckpt"))

    seen = []

    class Follow(pl.Callback):
        def on_train_batch_end(self, trainer, module, *rest):
            now = module.network.state_dict()
            first = not seen
            seen.append(1)
            for name in wanted:
                wanted[name] = now[name].clone() if first else 0.5 * wanted[name] + 0.5 * now[name]

    fit(recognizer, Data(BATCH), callbacks=[Checkpointing(save), Follow()], threads=1)
    for name, value in wanted.items():
        torch.testing.assert_close(kept[-1][name], value)
    assert any(not torch.equal(value, recognizer.network.state_dict()[name]) for name, value in kept[-1].items())
    with torch.no_grad():
        rows = recognizer.trainer.datamodule.rows
        logits = recognizer.average.module(torch.stack([image for image, _ in rows]))
        loss = functional.cross_entropy(logits, torch.stack([label for _, label in rows]))
    assert recognizer.history[-1]["validation_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_frozen_layers_do_not_move_and_the_rest_does():
    before = Small().state_dict()
    after = trained(RECIPE.model_copy(update={"trainable": 1})).network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"backbone.2.weight", "backbone.2.bias", "out.weight", "out.bias"}


class Mirrored(Small):
    """Makes its images again."""

    def __init__(self):
        super().__init__()
        self.decoder = nn.Conv2d(4, 3, 5, padding=4)

    def loss_of(self, images, labels):
        features = self.backbone(images)
        loss = functional.cross_entropy(self.out(self.head(features)), labels)
        return loss + functional.mse_loss(self.decoder(features), images)


def test_a_decoder_has_an_optimizer_of_its_own():
    def still(parameters):
        return torch.optim.Adam(parameters, lr=0.0)

    before = Mirrored().state_dict()
    after = trained(RECIPE, Mirrored(), decoder=still).network.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if not name.startswith("decoder")}
    after = trained(RECIPE, Mirrored(), decoder=lambda parameters: torch.optim.Adam(parameters, lr=1e-3)).network.state_dict()
    assert not torch.equal(before["decoder.weight"], after["decoder.weight"])
    assert (before["decoder.weight"] - after["decoder.weight"]).abs().max() < 0.01, "Adam moves by its own small rate"


class Compared(Small):
    """A loss of embeddings, without classes."""

    classifies = False

    def loss(self, embeddings, labels):
        same = labels[:, None] == labels[None]
        return (torch.cdist(embeddings, embeddings) * (same.float() - 0.5)).mean()

    def loss_of(self, images, labels):
        return self.loss(self.embed(images), labels)

    def forward(self, images):
        raise AssertionError("there are no logits")


def test_without_a_classifier_the_loss_of_all_validation_images_counts():
    recognizer = trained(RECIPE, Compared())
    rows = recognizer.trainer.datamodule.rows
    with torch.no_grad():
        embeddings = recognizer.network.embed(torch.stack([image for image, _ in rows]))
        wanted = recognizer.network.loss(embeddings, torch.stack([label for _, label in rows]))
    assert recognizer.history[-1]["validation_loss"] == pytest.approx(float(wanted), rel=1e-5)
    assert recognizer.history[-1]["validation_accuracy"] is None


def test_subjects_without_a_class_are_verified_whatever_the_loss():
    """A loss without a classifier may still have a center per class."""
    network = Compared()
    calls = []
    network.loss_of = lambda images, labels: Compared.loss(network, network.embed(images), labels)
    network.loss = lambda *given: calls.append(given)
    recognizer = trained(RECIPE, network, open_set=True)
    rows = recognizer.trainer.datamodule.rows
    with torch.no_grad():
        embeddings = recognizer.network.embed(torch.stack([image for image, _ in rows]))
    wanted = verified(embeddings, torch.stack([label for _, label in rows]))
    last = recognizer.history[-1]
    assert (last["validation_loss"], last["validation_accuracy"]) == pytest.approx(wanted, abs=1e-3)
    assert not calls

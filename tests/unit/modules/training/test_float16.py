"""Training in float16: skipped steps, and running statistics that do not yet fit the activations."""

import pytest
import torch
from row_data import RowData
from torch import nn
from torch.nn import functional

from modules.recipes import one_cycle
from modules.training.checkpointing import Checkpointing
from modules.training.recognizer import Recognizer
from modules.training.trainer import fit

STEPS, BATCH = 5, 4
RECIPE = one_cycle.OneCycleConfig(epochs=1, batch_size=BATCH, optimizer="sgd", lr=0.01, ema=0.5)


class Data(RowData):
    def __init__(self):
        generator = torch.Generator().manual_seed(1)
        super().__init__([(torch.randn(3, 8, 8, generator=generator), row % 3) for row in range(STEPS * BATCH)], BATCH)


class Deep(nn.Module):
    """Convolutions that amplify, each before a batch normalization with slow statistics; iresnet-50 overflows by its depth."""

    def __init__(self, *overflows_at):
        super().__init__()
        torch.manual_seed(0)
        layers = []
        for channels in (3, *[16] * 7):
            layers += [nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16, momentum=0.01)]
            nn.init.normal_(layers[-2].weight, std=1.0)
        self.body, self.out = nn.Sequential(*layers), nn.Linear(16, 3)
        self.overflows_at, self.calls, self.seen = overflows_at, 0, []

    def forward(self, images):
        self.seen.append((self.training, torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return self.out(self.body(images).mean((2, 3)))

    def loss_of(self, images, labels):
        self.calls += 1
        loss = functional.cross_entropy(self(images).float(), labels)
        return loss * (1e36 if self.calls in self.overflows_at else 1.0)


def trained(network, precision="16-mixed"):
    recognizer = Recognizer(network, RECIPE, seed=0, steps_per_epoch=STEPS)
    fit(recognizer, Data(), precision=precision, threads=1)
    return recognizer


def test_a_skipped_step_moves_neither_schedule_nor_average() -> None:
    skipped = trained(Deep(3))
    assert skipped.trainer.global_step == STEPS
    assert skipped.moves.steps == STEPS - 1
    assert int(skipped.average.n_averaged) == STEPS - 1
    assert skipped.skipped_steps == 1
    skipped.check_steps()
    assert all(bool(value.isfinite().all()) for value in skipped.state_dict().values())
    whole = trained(Deep())
    assert (whole.moves.steps, int(whole.average.n_averaged)) == (STEPS, STEPS)


def test_a_training_whose_every_step_was_skipped_is_an_error(tmp_path) -> None:
    def save(epoch, batch, write, row):
        write(tmp_path / "last.ckpt")

    recognizer = Recognizer(Deep(*range(STEPS + 1)), RECIPE, seed=0, steps_per_epoch=STEPS)
    fit(recognizer, Data(), precision="16-mixed", threads=1, callbacks=[Checkpointing(save)])
    resumed = Recognizer(Deep(), RECIPE, seed=0, steps_per_epoch=STEPS)
    fit(resumed, Data(), precision="16-mixed", threads=1, checkpoint=tmp_path / "last.ckpt")
    for one in (recognizer, resumed):
        assert one.skipped_steps == STEPS
        with pytest.raises(ValueError, match=f"16-mixed skipped all {STEPS} optimizer steps.*use bf16-mixed or 32-true"):
            one.check_steps()


@pytest.mark.parametrize("average", [False, True])
def test_validation_is_finite_while_running_statistics_are_young(average: bool) -> None:
    recognizer = Recognizer(Deep(), RECIPE.model_copy(update={"ema": 0.5 if average else None}), 0, STEPS)
    fit(recognizer, Data(), precision="16-mixed", threads=1)
    network = recognizer.evaluated.eval()
    images, labels = torch.stack([row[0] for row in Data().rows]), torch.tensor([row[1] for row in Data().rows])
    with torch.no_grad():
        with torch.autocast("cpu", torch.float16):
            assert not bool(network(images).isfinite().all()), "the activations fit into float16, so this proves nothing"
        wanted = float(functional.cross_entropy(network(images), labels))
    assert recognizer.history[0]["validation_loss"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("precision", "dtype"), [("16-mixed", torch.float16), ("bf16-mixed", torch.bfloat16)])
def test_a_cpu_trains_in_the_type_that_was_asked_for(precision: str, dtype: torch.dtype) -> None:
    network = trained(Deep(), precision).network
    assert {kind for training, enabled, kind in network.seen if training and enabled} == {dtype}
    assert sum(training and enabled for training, enabled, _ in network.seen) == STEPS

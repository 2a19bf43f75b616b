"""Measuring a step leaves no trace in the training."""

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.plugins.precision import MixedPrecision, Precision

from configs.lookup import resolve
from modules.network import Network
from modules.training.recognizer import Recognizer
from modules.training.step_time import STEPS, step_time

BATCH, SIZE, CLASSES = 6, 32, 5
HEAD = {"name": "gap_bn", "dimension": 8}
IMAGES, LABELS = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)), torch.arange(BATCH) % CLASSES


def recognizer(loss: Any, **recipe: Any) -> Recognizer:
    torch.manual_seed(0)
    network = Network(
        resolve("backbone", "mobilenetv3_small"), resolve("head", HEAD), resolve("loss", loss), classes=CLASSES, size=SIZE
    )
    made = Recognizer(network, resolve("recipe", {"name": "one_cycle", "lr": 0.01, **recipe}), seed=5, steps_per_epoch=3)
    made.trainer = SimpleNamespace(precision_plugin=Precision(), world_size=1)  # type: ignore[assignment]
    return made


def everything(made: Recognizer) -> dict[str, Any]:
    """Copies of all that a step may change."""
    return {
        **{name: tensor.clone() for name, tensor in made.state_dict().items()},
        **{f"{name}.grad": None if one.grad is None else one.grad.clone() for name, one in made.named_parameters()},
        "python": random.getstate(),
        "numpy": np.random.get_state()[1].copy(),  # type: ignore[union-attr]  # noqa: NPY002
        "torch": torch.get_rng_state(),
        "optimizer": repr(made.optimizer.state_dict()),
    }


@pytest.mark.parametrize(
    "loss",
    ["softmax", {"name": "arcface", "sample": 0.5}, "triplet", {"name": "magface"}, {"name": "center"}],
    ids=lambda loss: loss if isinstance(loss, str) else loss["name"],
)
def test_weights_statistics_gradients_and_random_states_stay_as_they_are(loss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recognizer(loss)
    forward, drawn = Network.loss_of, []

    def drawing(self: Any, *args: Any) -> Any:
        drawn.append((random.random(), np.random.rand(), torch.rand(1)))  # noqa: NPY002
        return forward(self, *args)

    monkeypatch.setattr(Network, "loss_of", drawing)
    before, prepared = everything(made), []

    def images() -> torch.Tensor:
        prepared.append(torch.rand(1))
        return IMAGES

    found = step_time(made, images, LABELS)
    after = everything(made)
    assert len(drawn) == len(prepared) == 2 + STEPS
    assert before.keys() == after.keys()
    assert [name for name in before if not same(before[name], after[name])] == []
    assert 0 < found.host <= found.seconds


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)


def test_the_precision_of_the_training_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    made = recognizer("softmax")
    made.trainer.precision_plugin = MixedPrecision("bf16-mixed", "cpu")  # type: ignore[misc]
    forward, seen = Network.loss_of, []

    def looking(self: Any, *args: Any) -> Any:
        seen.append(torch.is_autocast_enabled("cpu"))
        return forward(self, *args)

    monkeypatch.setattr(Network, "loss_of", looking)
    step_time(made, lambda: IMAGES, LABELS)
    assert seen == [True] * (2 + STEPS)

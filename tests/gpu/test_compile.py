"""``compute: {compile: true}``: trainings with a compiled backbone; the last batch of a validation is smaller."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from training_runs import faces, recognizer, train

from modules.network import Network
from modules.training.recognizer import Recognizer

STEPS = 4
SAME_LOSS = {"32-true": 1e-4, "bf16-mixed": 0.02}


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile needs a C++ compiler")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("precision", SAME_LOSS)
def test_a_compiled_backbone_learns_the_same(device: str, accelerator: str, precision: str) -> None:
    if device == "cpu" and precision != "32-true":
        pytest.skip("not every C++ compiler takes the code that is made for bf16 on a CPU")

    def trained(change: Any = None) -> Recognizer:
        data = faces(STEPS, 64)
        return train(recognizer(data, "alexnet", lr=0.001, change=change), data, accelerator, precision)

    def compiled(network: Network) -> None:
        network.backbone.compile()

    plain, found = trained(), trained(compiled)
    assert found.network.backbone._compiled_call_impl is not None
    assert list(found.state_dict()) == list(plain.state_dict())
    for key in ("train_loss", "validation_loss"):
        assert found.history[0][key] == pytest.approx(plain.history[0][key], rel=SAME_LOSS[precision]), key
    if precision == "32-true":
        weights = found.network.state_dict()
        for name, value in plain.network.state_dict().items():
            distance = (weights[name].double() - value.double()).norm()
            assert distance <= 1e-3 * value.double().norm(), name

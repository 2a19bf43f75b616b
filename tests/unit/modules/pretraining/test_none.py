"""No pretraining."""

import torch

from modules.backbones.alexnet import AlexNetConfig as AlexNet
from modules.pretraining.none import NoPretrainingConfig


def test_weights_stay_as_they_were_drawn() -> None:
    backbone = AlexNet().build()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    NoPretrainingConfig().load(backbone, AlexNet(), None)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_it_needs_nothing() -> None:
    assert NoPretrainingConfig().missing(AlexNet()) is None
    assert NoPretrainingConfig().impossible(AlexNet()) is None
    assert NoPretrainingConfig().content(AlexNet()) is None

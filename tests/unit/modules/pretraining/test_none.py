"""No pretraining."""

import torch

from modules.backbones.alexnet import Config as AlexNet
from modules.pretraining.none import Config


def test_weights_stay_as_they_were_drawn() -> None:
    backbone = AlexNet().build()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    Config().load(backbone, AlexNet(), None)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_it_needs_nothing() -> None:
    assert Config().missing(AlexNet()) is None
    assert Config().impossible(AlexNet()) is None
    assert Config().content(AlexNet()) is None

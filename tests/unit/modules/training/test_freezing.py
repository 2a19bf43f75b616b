"""What a rule freezes, layer by layer; and that frozen layers do not move at all."""

import pytest
import torch
from torch import nn

from modules.backbones import alexnet, mobilenetv3_small, timm
from modules.training.freezing import freeze


def trained(backbone):
    return [name for name, parameter in backbone.named_parameters() if parameter.requires_grad]


def test_the_last_two_convolutions_are_trained_with_what_stands_behind_them():
    backbone = alexnet.AlexNetConfig().build()
    frozen = freeze(backbone, 2)
    assert trained(backbone) == ["features.8.weight", "features.8.bias", "features.10.weight", "features.10.bias"]
    assert backbone.features[8] not in frozen
    assert backbone.features[6] in frozen


def test_all_and_none_are_what_they_say():
    backbone = alexnet.AlexNetConfig().build()
    assert freeze(backbone, "all") == []
    assert len(trained(backbone)) == 10
    freeze(backbone, "none")
    assert trained(backbone) == []


def test_from_a_stage_on():
    backbone = mobilenetv3_small.MobileNetV3SmallConfig().build()
    stages = list(backbone.stages())
    freeze(backbone, stages[-1])
    inside = {id(p) for p in backbone.stages()[stages[-1]].parameters()}
    found = {id(p) for p in backbone.parameters() if p.requires_grad}
    assert inside
    assert inside <= found
    before = {id(p) for p in backbone.stages()[stages[0]].parameters()}
    assert before
    assert not before & found


@pytest.mark.parametrize(
    ("rule", "complaint"), [("layer9", r"'layer9' is no stage .*known: all, none, decoder, relu1"), (6, "has 5 conv")]
)
def test_an_unknown_layer_is_refused_with_the_known_ones(rule, complaint):
    with pytest.raises(ValueError, match=complaint):
        freeze(alexnet.AlexNetConfig().build(), rule)


def test_frozen_statistics_stay_when_the_layer_is_in_evaluation_mode():
    backbone = mobilenetv3_small.MobileNetV3SmallConfig().build().train()
    for layer in freeze(backbone, "none"):
        layer.eval()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
    assert any(isinstance(layer, nn.BatchNorm2d) for layer in backbone.modules())


class WithToken(nn.Module):
    """Layers within a module that has a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1))
        self.first, self.second, self.norm = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)


def test_a_trained_layer_within_a_module_with_frozen_parameters_stays_in_training_mode():
    backbone = WithToken().train()
    for layer in freeze(backbone, 1):
        layer.eval()
    assert trained(backbone) == ["second.weight", "second.bias", "norm.weight", "norm.bias"]
    assert (backbone.first.training, backbone.second.training, backbone.norm.training) == (False, True, True)


def test_a_stage_without_layers_is_refused():
    backbone = timm.TimmConfig(model="ghostnet_050").build()
    with pytest.raises(ValueError, match=r"recipe\.trainable 'map' is a stage without layers of its own; name an earlier one"):
        freeze(backbone, "map")

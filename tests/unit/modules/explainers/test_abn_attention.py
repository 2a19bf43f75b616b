import numpy as np
import pytest
import torch
from torch import nn

from configs.lookup import resolve
from modules.attribution.explainer import Refused
from modules.attribution.targets import ClassLogit, Cosine
from modules.backbones.abn import ABNConfig as AbnConfig
from modules.backbones.abn import AttentionBranchNetwork
from modules.explainers.abn_attention import ABNAttentionConfig


class Inner(nn.Module):
    channels = 5

    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, 5, 3, 4, 1), nn.SiLU())

    def stages(self):
        return {"conv": self.conv}

    def forward(self, images):
        return self.conv(images)


class Network(nn.Module):
    def __init__(self, attention=True):
        super().__init__()
        torch.manual_seed(0)
        config = AbnConfig(backbone={"name": "squeezenet"}, maps=6)
        self.backbone = AttentionBranchNetwork(Inner(), config) if attention else Inner()

    def embed(self, images):
        return self.backbone(images).mean((2, 3))


def images(count=3):
    return torch.randn(count, 3, 16, 24, generator=torch.Generator().manual_seed(1))


TARGET = ClassLogit(torch.tensor([2, 0, 1]))


def test_the_map_is_what_the_features_are_multiplied_by():
    network = Network().eval()
    found = ABNAttentionConfig().build().explain(network, images(), TARGET, (16, 24))
    assert (found.layer, found.layer_shape, found.maps.shape) == ("attention", (1, 4, 6), (3, 4, 6))
    with torch.no_grad():
        for row, image in enumerate(images()):
            inner = network.backbone.inner(image[None])
            ratio = network.backbone(image[None]) / inner - 1  # x * M + x
            np.testing.assert_allclose(ratio[0].mean(0).numpy(), found.maps[row], rtol=1e-4, atol=1e-5)
    assert found.maps.min() > 0
    assert found.maps.max() < 1
    assert found.maps.std() > 0


def test_the_target_plays_no_part_and_the_manifest_says_so():
    network = Network()
    found = ABNAttentionConfig().build().explain(network, images(), TARGET, (16, 24))
    other = ABNAttentionConfig().build().explain(network, images(), Cosine(torch.ones(3, 5)), (16, 24))
    np.testing.assert_array_equal(found.maps, other.maps)
    assert found.notes["target_ignored"] is True
    assert found.target.startswith("none")


def test_a_backbone_without_attention_is_refused():
    with pytest.raises(Refused, match="Inner") as caught:
        ABNAttentionConfig().build().explain(Network(attention=False), images(), TARGET, (16, 24))
    assert caught.value.code == "no_attention"


def test_a_map_does_not_depend_on_the_other_images_and_the_network_is_left_as_it_was():
    network = Network().train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    together = ABNAttentionConfig().build().explain(network, images(), TARGET, (16, 24)).maps
    for row in range(3):
        alone = ABNAttentionConfig().build().explain(network, images()[row : row + 1], TARGET.take([row]), (16, 24)).maps
        np.testing.assert_array_equal(alone[0], together[row])
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_it_is_found_by_name():
    assert resolve("explainer", "abn_attention") == ABNAttentionConfig()

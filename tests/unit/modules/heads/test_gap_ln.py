"""The head of EdgeFace is that of timm's EdgeNeXt."""

import pytest
import timm
import torch

from modules.heads.gap_ln import GapLnConfig


def test_at_full_rank_it_is_the_head_of_timm() -> None:
    torch.manual_seed(0)
    theirs = timm.create_model("edgenext_xx_small", num_classes=7).head.eval()
    torch.nn.init.normal_(theirs.norm.weight)
    torch.nn.init.normal_(theirs.norm.bias)
    ours = GapLnConfig(dimension=7, gamma=None).build(168, 3, 3)
    ours.norm.load_state_dict(theirs.norm.state_dict())
    ours.linear.load_state_dict(theirs.fc.state_dict())
    features = torch.randn(2, 168, 3, 3)
    torch.testing.assert_close(ours(features), theirs(features))


@pytest.mark.parametrize(("gamma", "parameters"), [(None, 7 * 9), (0.5, 3 * (6 + 9) + 9), (0.6, 3 * (6 + 9) + 9)])
def test_gamma_is_the_share_of_the_rank(gamma: float | None, parameters: int) -> None:
    head = GapLnConfig(dimension=9, gamma=gamma).build(6, 4, 4)
    assert sum(parameter.numel() for parameter in head.parameters()) == parameters + 12

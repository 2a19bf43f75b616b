"""The moving average is torch's, with fewer reads of the device."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from modules.training.moving_average import MovingAverage


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2).double())


@pytest.mark.parametrize("resumed_after", [None, 0, 2])
def test_it_equals_torchs_average(resumed_after: int | None) -> None:
    model = network()
    ours, theirs = MovingAverage(model, 0.7), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.7), use_buffers=True)
    for step in range(5):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
            model[1](torch.randn(5, 4))
        if step == resumed_after:
            state, ours = ours.state_dict(), MovingAverage(network(), 0.7)
            ours.load_state_dict(state)
        ours.update_parameters(model)
        theirs.update_parameters(model)
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_it_has_no_gradient() -> None:
    assert not any(parameter.requires_grad for parameter in MovingAverage(network(), 0.7).parameters())

"""The moving average of weights and normalization statistics is torch's; other buffers are copied."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from modules.losses.triplet import TripletConfig
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
        copied = {"module.1.num_batches_tracked": model[1].num_batches_tracked}
        wanted = {**theirs.state_dict(), **copied}
        assert all(torch.equal(value, wanted[name]) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("resumed", [False, True])
def test_the_memory_of_a_loss_is_copied(resumed: bool) -> None:
    """Averaged, the labels and the embeddings of the offline triplet loss would be those of no subject."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"net": network(), "loss": TripletConfig(mining="offline").build(3, 2)})
    average = MovingAverage(model, 0.7)
    for step in range(3):
        for buffer in model["loss"].buffers():
            buffer.copy_(torch.randint(0, 99, buffer.shape))
        if resumed and step == 2:
            state, average = average.state_dict(), MovingAverage(model, 0.7)
            average.load_state_dict(state)
        average.update_parameters(model)
    memory = dict(model["loss"].named_buffers())
    assert memory
    assert all(torch.equal(buffer, memory[name]) for name, buffer in average.module["loss"].named_buffers())


def test_it_has_no_gradient() -> None:
    assert not any(parameter.requires_grad for parameter in MovingAverage(network(), 0.7).parameters())

"""All ways to decode against one another; the algorithm itself is tested with ``explainers/test_reconstruction.py``."""

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from modules.attribution import decoder_residuals
from modules.attribution.decoder_residuals import decode_of, weighted
from modules.decoders.transposed import Transposed

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def decoder(dtype):
    torch.manual_seed(0)
    made = Transposed([9, 20, 17, 16]).to(dtype).eval()
    made.layers[0][0].weight.data[4] = 0  # channel 4 has no effect
    return made


def features(shape, dtype):
    made = torch.rand(9, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1
    made[7] = 0  # nor has a channel of zeros
    return made.to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
@pytest.mark.parametrize("norm", ["l2", "min_max"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (4, 4)])
@torch.no_grad()
def test_ways_to_decode_agree(norm, shape, dtype, tolerance, monkeypatch):
    """Relative to the largest value of the map. A map of 1 x 1 is a window that is the whole image."""
    monkeypatch.setitem(decoder_residuals._BATCH, "by_location", 2)
    monkeypatch.setitem(decoder_residuals._BATCH, "together", 4)  # of 9 channels, so the last batch is smaller
    weights = torch.linspace(-1, 1, 9, dtype=torch.float64)
    one, net = features(shape, dtype), decoder(dtype)
    full, dead = weighted(net, one, weights, "per_channel", norm, decode="full")
    assert full.shape == (16 * shape[0], 16 * shape[1])
    assert full.dtype == np.float64
    assert np.abs(full).max() > 0.01
    assert dead == 2
    for way in ("by_location", "together"):
        found, same_dead = weighted(net, one, weights, "per_channel", norm, decode=way)
        np.testing.assert_allclose(found, full, rtol=0, atol=tolerance * np.abs(full).max())
        assert same_dead == dead


@pytest.mark.parametrize("masking", ["per_channel", "cumulative"])
@pytest.mark.parametrize("way", ["full", None])
@torch.no_grad()
def test_full_decodes_in_batches_are_those_one_by_one(masking, way, monkeypatch):
    weights = torch.linspace(-1, 1, 9, dtype=torch.float64)
    one, net = features((2, 3), torch.float64), decoder(torch.float64)
    expected, dead = weighted(net, one, weights, masking, "l2", decode=way)
    seen = []
    monkeypatch.setattr(decoder_residuals, "batch_size", lambda on_cpu, images, count: 4)
    net.register_forward_hook(lambda module, given, got: seen.append(len(got)))
    found, same_dead = weighted(net, one, weights, masking, "l2", decode="full")
    assert seen == [1, 4, 4, 4, 4]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert same_dead == dead


def test_the_way_is_chosen_by_device():
    net = decoder(torch.float32)
    assert decode_of(net, "per_channel", CPU) == decode_of(net, "cumulative", CPU) == "by_location"
    assert decode_of(net, "per_channel", GPU) == "together"
    assert decode_of(net, "cumulative", GPU) == "full"
    assert decode_of(nn.Sequential(net), "per_channel", GPU) == decode_of(nn.Sequential(net), "cumulative", CPU) == "full"


@pytest.mark.parametrize(("way", "masking"), [("together", "per_channel"), ("full", "per_channel"), ("full", "cumulative")])
@torch.no_grad()
def test_weights_may_be_on_the_cpu_and_features_on_a_gpu(way, masking, monkeypatch):
    """Fake tensors compute nothing, but refuse to mix devices."""
    monkeypatch.setattr(decoder_residuals, "batch_size", lambda on_cpu, images, count: 4)
    with FakeTensorMode():
        with GPU:
            net, one = Transposed([9, 20, 17, 16]).eval(), torch.rand(9, 2, 3)
        place = one.flatten(1).argmax(1)
        total, dead = decoder_residuals._weighted(net, one, torch.ones(9), masking, "l2", place, way)
    assert total.device.type == dead.device.type == "cuda"
    assert total.shape == (16 * 2, 16 * 3)

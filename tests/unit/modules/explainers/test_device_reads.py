"""What makes a CPU wait for a GPU, values read from the device or copied to it, is as frequent for many batches as for few."""

from collections import Counter

import pytest
import torch
from pair_networks import SIZE, images, network
from torch.overrides import TorchFunctionMode

from configs.lookup import resolve
from modules.attribution import decoder_residuals
from modules.attribution.cached_features import all_pairs, features
from modules.attribution.explainer import Reference
from modules.attribution.targets import ClassLogit, Cosine

WAITS = {
    *("item", "tolist", "numpy", "cpu", "nonzero", "__bool__", "__int__", "__float__", "__index__", "__array__"),
    *("tensor", "as_tensor", "from_numpy"),  # made on the CPU
}


class Waits(TorchFunctionMode):
    """Counts them; a CPU has the same calls as a GPU, only without the wait."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in WAITS:
            self.found[name] += 1
        return func(*args, **(kwargs or {}))


def waits(run):
    with Waits() as counting:
        run()
    return counting.found


def test_a_value_that_is_read_is_counted():
    found = waits(lambda: [bool(torch.ones(1).any()), float(torch.ones(())), torch.ones(2).tolist(), torch.tensor([1])])
    assert found.total() >= 4


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"name": "rise", "masks": 8, "batch": 4}, {"masks": 32}),
        ({"name": "lime", "segments": 9, "samples": 8, "batch": 4}, {"samples": 32}),
        ({"name": "score_cam", "layer": "two", "batch": 6}, {"batch": 1}),
        ({"name": "smoothgrad", "samples": 8, "batch": 4}, {"samples": 32}),
        ({"name": "fame", "steps": 2, "blur": 1.0}, {"steps": 8}),
        ({"name": "integrated_gradients", "steps": 8, "batch": 4}, {"steps": 32}),
    ],
)
def test_of_images(few, many, cosine):
    net, given = network("gap_bn").eval(), images(2) * 0.1 - 0.8
    given[:, 0, :8, :8] += 1.4  # SLIC finds a quarter, and nothing in noise
    target = Cosine(torch.randn(2, 5, dtype=given.dtype)) if cosine else ClassLogit(torch.tensor([1, 3]))

    def run(**fields):
        resolve("explainer", {**few, **fields}).build().explain(net, given, target, SIZE)

    assert waits(lambda: run(**many)) == waits(run)


@pytest.mark.parametrize(
    ("few", "many"),
    [
        ({"name": "corr_rise", "masks": 32, "side": 5}, {"masks": 128}),
        ({"name": "pair_occlusion", "patch": 12, "stride": 4}, {"stride": 1}),  # 4 patches, or 25
        ({"name": "minplus", "width": 4, "stride": 8, "threshold": -1}, {"stride": 2}),
    ],
)
def test_of_pairs(few, many, monkeypatch):
    monkeypatch.setattr("modules.attribution.pair_utilities.BATCH", 4)
    net, left, right = network("gap_bn").eval(), images(2), images(2, seed=2)
    reference = Reference(left, right, torch.tensor([True, True]), torch.zeros(3))

    def run(**fields):
        resolve("explainer", {**few, **fields}).build().explain(net, left, right, SIZE, reference)

    assert waits(lambda: run(**many)) == waits(run)


@pytest.mark.parametrize("decode", ["together", "full"])
def test_of_channels(decode, monkeypatch):
    net = network("gmp", decodes=True).eval()
    with torch.no_grad():
        feature = net.features(images(1))[0]
        weights = torch.ones(len(feature), dtype=torch.float64)

        def run(batch):
            monkeypatch.setitem(decoder_residuals._BATCH, "together", batch)
            monkeypatch.setattr(decoder_residuals, "batch_size", lambda on_cpu, image, count: batch)
            decoder_residuals.weighted(net.decoder, feature, weights, "per_channel", "l2", decode=decode)

        assert waits(lambda: run(1)) == waits(lambda: run(6))


def test_of_all_pairs():
    """Values are read for each group of images, not for each batch of pairs; the rows of a batch are still made on the CPU."""
    net = network("gap_bn").eval()
    left, right = features(net, images(4)), features(net, images(4, seed=2))

    def run(batch):
        return {
            name: count
            for name, count in waits(lambda: all_pairs(net, left, right, batch=batch, images=4)).items()
            if name != "as_tensor"
        }

    assert run(2) == run(4)

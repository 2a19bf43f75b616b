"""Inference gives what a plain loop gives, in its order, and stops with the error of the part that failed."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from datamodules import inference
from datamodules.inference import BATCH, batch_size, infer
from datamodules.tensors import tensors

RNG = np.random.default_rng(0)
COUNT, SIDE = 2 * BATCH + 5, 12
CROPS = RNG.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 100, 16)).eval()


@pytest.mark.parametrize("chunk", [1, 1 << 28])  # bytes: copied after every batch, and once
def test_results_are_bit_for_bit_those_of_a_plain_loop_for_any_rows(monkeypatch, chunk):
    monkeypatch.setattr(inference, "CHUNK", chunk)
    net, rows, said = network(), RNG.permutation(COUNT)[: BATCH + 7], []

    def function(images):
        assert torch.is_inference_mode_enabled()
        return {"twice": 2 * net(images), "sum": images.sum((1, 2, 3))}

    found = infer(function, CROPS.__getitem__, rows, "cpu", progress=lambda *now: said.append(now))
    with torch.no_grad():
        parts = [tensors(CROPS[rows[start : start + BATCH]], "cpu") for start in (0, BATCH)]
        assert torch.equal(found["twice"], 2 * torch.cat([net(part) for part in parts]))
        assert torch.equal(found["sum"], torch.cat([part.sum((1, 2, 3)) for part in parts]))
    assert said == [(BATCH, BATCH + 7), (BATCH + 7, BATCH + 7)]


def test_images_are_read_beside_the_network():
    both, seen = threading.Barrier(2, timeout=30), []

    def take(rows):
        seen.append(threading.current_thread() is threading.main_thread())
        if rows[0] == BATCH:
            both.wait()  # passes only while the network has the first batch
        return CROPS[rows]

    def function(images):
        if len(images) == BATCH:
            both.wait()
        return {"sum": images.sum((1, 2, 3))}

    found = infer(function, take, range(BATCH + 1), "cpu")
    assert len(found["sum"]) == BATCH + 1
    assert not any(seen)


def test_bfloat16_is_an_autocast_with_channels_last_images():
    net = network()
    seen = []

    def function(images):
        seen.append(images.is_contiguous(memory_format=torch.channels_last))
        return {"embedding": net(images)}

    found = infer(function, CROPS.__getitem__, range(8), "cpu", precision="bf16-mixed")["embedding"]
    with torch.no_grad():
        exact = net(tensors(CROPS[:8], "cpu"))
    assert seen == [True]
    assert found.dtype == torch.bfloat16
    assert not torch.equal(found.float(), exact)
    assert torch.allclose(found.float(), exact, atol=0.02 * float(exact.abs().max()))


def test_an_unreadable_image_ends_it_with_its_own_error():
    def take(rows):
        if BATCH in rows:
            raise ValueError("a.jpg is damaged")
        return CROPS[rows]

    with pytest.raises(ValueError, match=r"a\.jpg is damaged"):
        infer(lambda images: {"sum": images.sum((1, 2, 3))}, take, range(COUNT), "cpu")


def test_batches_are_of_one_size_on_a_cpu_and_of_about_equal_memory_on_a_gpu():
    assert {batch_size("cpu", side, side) for side in (32, 112, 500)} == {BATCH}
    assert [batch_size("cuda", side, side) for side in (32, 112, 160, 224, 1000)] == [1024, 256, 128, 64, 32]

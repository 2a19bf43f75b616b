"""The usual preprocessing."""

import numpy as np
import pytest
import torch

from grid.judge.preprocessing import RANGES, SIZES, Preprocessing
from modules.backbones.external import ExternalConfig, FileNetwork


def test_others_differ_in_one_part() -> None:
    start = Preprocessing()
    assert [one.order for one in start.others("order")] == ["bgr"]
    assert {one.range for one in start.others("range")} == set(RANGES) - {start.range}
    assert [one.faces for one in start.others("faces", ("similarity", "box", "none"))] == ["box", "none"]
    assert [one.size for one in start.others("size", SIZES)] == [(112, 96), (160, 160), (224, 224)]
    assert all(one.order == "rgb" and one.faces == "similarity" for one in start.others("range"))


def test_numbers_of_ones_own_are_shown() -> None:
    one = Preprocessing(mean=(1.0, 2.0, 3.0), std=(4.0, 4.0, 4.0))
    assert one.range == "(x - [1, 2, 3]) / 4"
    assert len(one.others("range")) == len(RANGES)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_mean_and_std_belong_to_red_green_blue_in_either_order(order: str) -> None:
    mean, std = RANGES["ImageNet's mean and std"]
    settings = Preprocessing(order=order, mean=mean, std=std).of_network()
    network = FileNetwork(ExternalConfig(path="a.onnx", **settings))  # type: ignore[arg-type]
    red = torch.full((1, 3, 2, 2), -1.0)
    red[:, 0] = 1.0  # red 255, green 0, blue 0
    seen = network.prepared(red)[0, :, 0, 0].numpy()
    expected = [(pixel - m) / s for pixel, m, s in zip((255, 0, 0), mean, std, strict=True)]
    np.testing.assert_allclose(seen, expected if order == "rgb" else expected[::-1], atol=1e-5)

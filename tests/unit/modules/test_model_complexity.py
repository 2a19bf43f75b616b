"""The numbers of Ito et al. (2021), Section III, and of a count by hand."""

from typing import Any

import pytest
import torch

from configs.lookup import resolve
from modules.model_complexity import Count, count


def _count(backbone: Any, classes: int = 500, size: int = 160, **head: Any) -> Count:
    parts: list[Any] = [resolve("backbone", backbone), resolve("head", {"name": "gap_bn", **head}), resolve("loss", "softmax")]
    return count(parts[0], parts[1], parts[2], classes, size)


@pytest.mark.parametrize(
    ("name", "parameters"), [("alexnet", 2_601_792), ("resnet34", 21_548_352), ("efficientnet_b1", 6_266_016)]
)
def test_parameters_are_those_of_the_paper(name: str, parameters: int) -> None:
    assert _count(name).parameters == parameters


def test_operations_of_alexnet_are_those_counted_by_hand() -> None:
    layers = [(39, 64, 3, 11), (19, 192, 64, 5), (9, 384, 192, 3), (9, 256, 384, 3), (9, 256, 256, 3)]  # cells, out, in, kernel
    convolutions = sum(2 * cells**2 * out * into * kernel**2 for cells, out, into, kernel in layers)
    assert _count("alexnet").flops == convolutions + 2 * 256 * 512


def test_a_rectangle_counts_its_own_cells() -> None:
    layers = [(23, 39, 64, 3, 11), (11, 19, 192, 64, 5), (5, 9, 384, 192, 3), (5, 9, 256, 384, 3), (5, 9, 256, 256, 3)]
    convolutions = sum(2 * height * width * out * into * kernel**2 for height, width, out, into, kernel in layers)
    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", "gap_bn"), resolve("loss", "softmax")]
    found = count(parts[0], parts[1], parts[2], 10, (96, 160))
    assert found.flops == convolutions + 2 * 256 * 512
    assert found == count(parts[0], parts[1], parts[2], 10, (160, 96))
    assert count(parts[0], parts[1], parts[2], 10, (160, 160)) == count(parts[0], parts[1], parts[2], 10, 160)


def test_a_decoder_counts_apart_and_must_give_the_images_size() -> None:
    names = (("backbone", {"name": "zhong_resnet", "units": [0, 0], "width": 4}), ("head", "gap_bn"), ("loss", "softmax"))
    parts: list[Any] = [resolve(kind, value) for kind, value in names]
    decoder: Any = resolve("decoder", {"name": "transposed", "layers": 2, "width": 6})
    plain, found = count(*parts, 10, (16, 12)), count(*parts, 10, (16, 12), decoder)
    assert (plain.decoder_parameters, plain.decoder_flops) == (0, 0)
    assert (found.parameters, found.flops, found.loss_parameters) == (plain.parameters, plain.flops, plain.loss_parameters)
    assert found.decoder_parameters == 16 * (8 * 6 + 6 * 3) + 2 * 6 + 3
    assert found.decoder_flops == 2 * 16 * (4 * 3 * 8 * 6 + 8 * 6 * 6 * 3)  # each cell feeds 4 x 4 of the next map
    with pytest.raises(ValueError, match=r"5 x 5 doubled 2 times gives 20 x 20 pixels, the images have 22 x 22"):
        count(*parts, 10, 22, decoder)


def test_classes_count_apart() -> None:
    few, many = _count("alexnet", classes=10), _count("alexnet", classes=1000)
    assert (few.parameters, few.flops) == (many.parameters, many.flops)
    assert many.loss_parameters == 1000 * 513


def test_the_head_counts() -> None:
    assert _count("alexnet").parameters - _count("alexnet", dimension=128).parameters == (512 - 128) * 257


def test_counting_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    _count("mobilenetv3_small", size=72)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_size_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="alexnet cannot take images of 40 x 40"):
        _count("alexnet", size=40)

"""Prices of GPUs by parts of their names."""

import pytest

from grid.spec.prices import Prices


def test_the_longest_part_of_a_name_counts_then_any() -> None:
    prices = Prices(gpu_hour={"H100": 2.0, "NVIDIA H100 80GB": 3.0, "any": 0.5})
    assert prices.of_gpu("gpu 0 (NVIDIA H100 80GB HBM3)") == 3.0
    assert prices.of_gpu("nvidia h100 nvl") == 2.0
    assert prices.of_gpu("Tesla T4") == 0.5


def test_a_part_consists_of_whole_words() -> None:
    prices = Prices(gpu_hour={"A10": 0.5, "L4": 0.4, "H200": 4.0, "any": 3.0})
    found = [prices.of_gpu(name) for name in ("NVIDIA A100-SXM4-80GB", "NVIDIA L40S", "NVIDIA GH200 480GB", "NVIDIA A10")]
    assert found == [3.0, 3.0, 3.0, 0.5]


def test_a_gpu_of_unknown_type_has_the_highest_price() -> None:
    assert Prices(gpu_hour={"H100": 2.0, "any": 0.5}).of_gpu(None) == 2.0
    assert Prices().of_gpu(None) is None


def test_a_gpu_without_a_price_has_none() -> None:
    assert Prices(gpu_hour={"H100": 2.0}).of_gpu("A100") is None
    assert not Prices().named
    assert Prices(cpu_hour=0.01).named
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        Prices(cpu_hour=-1)


@pytest.mark.parametrize("name", ["", " "])
def test_a_blank_name_which_fits_every_gpu_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a blank name would fit every GPU"):
        Prices(gpu_hour={name: 2.0})

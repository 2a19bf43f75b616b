"""Limits of spending as options of a command."""

import pytest

from grid.spec.grid_file import BadInput
from grid.spec.prices import Prices
from grid.spec.spending_limits import Limits


def test_a_limit_of_money_needs_a_price() -> None:
    with pytest.raises(BadInput, match=r"--max-cost needs launch\.prices: set launch\.prices\.gpu_hour"):
        Limits(cost=5.0).check(Prices())
    Limits(cost=5.0).check(Prices(cpu_hour=0.1))
    Limits(gpu_hours=5.0).check(Prices())


def test_limits_in_words_and_as_options() -> None:
    assert not Limits().given
    both = Limits(gpu_hours=20.0, cost=0.0)
    assert both.given
    assert both.words("EUR") == "20 GPU-hours and EUR 0"
    assert both.options == ["--max-gpu-hours", "--max-cost"]
    assert Limits(cpu_hours=1e-6).words("USD") == "1e-06 CPU-hours"

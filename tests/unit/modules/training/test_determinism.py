from collections.abc import Iterator

import pytest
import torch
import torch.utils.deterministic as settings

from modules.training.determinism import any_order, unfilled


@pytest.fixture(autouse=True)
def deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


def test_fresh_memory_is_left_as_it_is_and_filled_again_afterwards() -> None:
    assert torch.isnan(torch.empty(1000)).all()  # what the mode does by itself
    with unfilled():
        kept = torch.zeros(1000).data_ptr()
        again = torch.empty(1000)
        assert again.data_ptr() != kept or not torch.isnan(again).any()
        assert not settings.fill_uninitialized_memory
    assert torch.isnan(torch.empty(1000)).all()


def test_an_error_inside_puts_the_setting_back() -> None:
    with pytest.raises(RuntimeError), unfilled():
        raise RuntimeError
    assert settings.fill_uninitialized_memory


@pytest.mark.parametrize(("on", "warns"), [(False, False), (True, False), (True, True)])
def test_sums_may_have_any_order_inside_and_everything_is_as_before_after(on: bool, warns: bool) -> None:
    torch.use_deterministic_algorithms(on, warn_only=warns)
    try:
        with any_order():
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled() == on
        assert torch.is_deterministic_algorithms_warn_only_enabled() == warns
    finally:
        torch.use_deterministic_algorithms(False)

import pytest
import torch

from datamodules.full_precision import full_precision


def state():
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("before", [(True, True), (True, False), (False, False)])
def test_tf32_is_off_inside_and_as_before_afterwards_even_after_an_error(before):
    first = state()
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
    try:
        with full_precision():
            assert state() == (False, False)
        assert state() == before
        with pytest.raises(ValueError, match="inside"), full_precision():
            raise ValueError("inside")
        assert state() == before
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = first

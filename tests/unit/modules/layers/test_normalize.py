import pytest
import torch

from modules.layers.normalize import full_precision, unit, wide, without_float16


def test_rows_have_length_one_and_their_direction():
    rows = torch.tensor([[3.0, 4.0], [1e-6, 0.0], [0.0, -2e15]])
    torch.testing.assert_close(unit(rows), torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, -1.0]]))


def test_a_zero_row_stays_zero_with_gradient_zero():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    unit(rows).sum().backward()
    assert unit(rows)[0].tolist() == [0, 0]
    assert rows.grad is not None
    assert rows.grad[0].tolist() == [0, 0]
    assert rows.grad[1].abs().sum() > 0


@pytest.mark.parametrize(
    ("given", "found"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64,) * 2],
)
def test_half_precision_is_widened_and_nothing_is_narrowed(given, found):
    assert wide(torch.zeros(1, dtype=given)).dtype == found


def test_autocast_ends_at_full_precision():
    rows = torch.randn(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (rows @ rows).dtype == torch.bfloat16
        with full_precision(rows):
            assert (rows @ rows).dtype == torch.float32


def test_full_precision_works_where_there_is_no_autocast():
    rows = torch.empty(4, 4, device="meta")
    with full_precision(rows):
        assert (rows @ rows).dtype == torch.float32


@pytest.mark.parametrize(
    ("dtype", "found"), [(torch.float16, torch.float32), (torch.bfloat16, torch.bfloat16), (None, torch.float32)]
)
def test_without_float16_leaves_other_autocast_alone(dtype: torch.dtype | None, found: torch.dtype) -> None:
    rows = torch.randn(2, 3)
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        with without_float16(rows):
            assert (rows @ rows.T).dtype == found
        assert (rows @ rows.T).dtype == (dtype or torch.float32)

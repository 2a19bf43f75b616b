import pytest
import torch

from modules.layers.normalize import full_precision, unit, wide


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

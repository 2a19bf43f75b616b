import pytest
import torch

from configs.lookup import resolve


def made(form="l1", values=(20.0, 30.0, 70.0)):
    torch.manual_seed(0)
    loss = resolve("loss", {"name": "regression", "form": form}).build(6, 0)
    loss.prepare_values(torch.tensor(values))
    return loss


@pytest.mark.parametrize("form", ["l1", "l2", "huber"])
def test_the_loss_is_of_errors_in_standard_deviations(form):
    loss, embeddings, values = made(form), torch.randn(3, 6), torch.tensor([20.0, 30.0, 70.0])
    deviation = (sum((value - 40) ** 2 for value in (20, 30, 70)) / 3) ** 0.5
    errors = [(float(found) - float(value)) / deviation for found, value in zip(loss.predict(embeddings), values, strict=True)]
    of = {"l1": abs, "l2": lambda x: x * x, "huber": lambda x: 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5}[form]
    assert float(loss(embeddings, values)) == pytest.approx(sum(map(of, errors)) / 3, rel=1e-4)


def test_mean_and_deviation_are_kept_with_the_weights():
    loss = made()
    assert {"mean", "deviation"} <= loss.state_dict().keys()
    assert float(loss.mean) == 40


@pytest.mark.parametrize("values", [(5.0,), (5.0, 5.0), ()])
def test_values_without_spread_are_no_division_by_zero(values):
    loss = made(values=values)
    assert float(loss.deviation) == 1
    assert torch.isfinite(loss(torch.randn(1, 6), torch.tensor([5.0])))


def test_predictions_under_bfloat16_are_not_rounded_to_its_years():
    loss, embeddings = made(values=(1940.0, 1970.0, 2000.0)), torch.randn(200, 6)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss.predict(embeddings)
    assert found.dtype == torch.float32
    assert (found - loss.predict(embeddings)).abs().max() < 0.5

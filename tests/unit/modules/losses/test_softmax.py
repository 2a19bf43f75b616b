"""Cross-entropy, written out."""

import math

import pytest
import torch

from modules.losses.softmax import SoftmaxConfig


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_equals_cross_entropy_written_out(smoothing: float) -> None:
    torch.manual_seed(0)
    loss = SoftmaxConfig(label_smoothing=smoothing).build(4, 3).double()
    embeddings = torch.randn(5, 4, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 1, 0])
    total = 0.0
    for row, label in zip(loss.logits(embeddings).tolist(), labels.tolist(), strict=True):
        log_norm = math.log(sum(math.exp(value) for value in row))
        target = [smoothing / 3 + (1 - smoothing) * (index == label) for index in range(3)]
        total += sum(share * (log_norm - value) for share, value in zip(target, row, strict=True))
    assert loss(embeddings, labels).item() == pytest.approx(total / 5, abs=1e-12)


def test_logits_are_one_linear_layer_with_bias() -> None:
    loss = SoftmaxConfig().build(4, 3)
    embeddings = torch.randn(2, 4)
    torch.testing.assert_close(loss.logits(embeddings), embeddings @ loss.linear.weight.T + loss.linear.bias)


def test_the_layer_can_start_as_deepfaces_f8_and_starts_as_torchs_by_default() -> None:
    torch.manual_seed(0)
    weight, bias = (one.detach().double() for one in SoftmaxConfig(initial="gaussian").build(512, 400).linear.parameters())
    assert bias.tolist() == [0.5] * 400
    assert weight.mean().item() == pytest.approx(0, abs=4 * 0.01 / weight.numel() ** 0.5)
    assert weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert ((weight / weight.std()) ** 4).mean().item() == pytest.approx(3, abs=0.06)  # of a Gaussian; 1.8 if uniform
    torch.manual_seed(1)
    default = SoftmaxConfig().build(16, 5).linear
    torch.manual_seed(1)
    torch.testing.assert_close(default.weight, torch.nn.Linear(16, 5).weight)
    assert SoftmaxConfig().identity() == SoftmaxConfig(initial="uniform").identity()
    assert "initial" not in SoftmaxConfig().identity()
    assert SoftmaxConfig(initial="gaussian").identity()["initial"] == "gaussian"


COUNTS = torch.tensor([900, 90, 9, 0])


def formulas(formula: str, beta: float) -> list[float]:
    """Weights written out, their mean over the classes being 1."""
    raw = [0.0 if n == 0 else 1 / n if formula == "inverse" else (1 - beta) / (1 - beta**n) for n in COUNTS.tolist()]
    return [len(raw) * one / sum(raw) for one in raw]


@pytest.mark.parametrize(("formula", "beta"), [("inverse", 0.9999), ("effective_number", 0.99), ("effective_number", 0.0)])
def test_class_weighted_value_and_gradient_equal_the_formula_written_out(formula: str, beta: float) -> None:
    torch.manual_seed(0)
    loss = SoftmaxConfig(class_weights=formula, beta=beta).build(3, 4).double()  # type: ignore[arg-type]
    loss.prepare(COUNTS)
    weights = formulas(formula, beta)
    embeddings = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 2, 0, 1])
    total = torch.zeros((), dtype=torch.float64)
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        logits = loss.linear.weight @ x + loss.linear.bias
        total = total - weights[label] * (logits[label] - torch.log(torch.exp(logits).sum()))
    expected = total / sum(weights[label] for label in labels.tolist())
    found = loss(embeddings, labels)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad(one, embeddings)[0] for one in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_a_class_without_images_has_weight_zero_and_not_infinity() -> None:
    loss = SoftmaxConfig(class_weights="inverse").build(3, 4)
    loss.prepare(COUNTS)
    assert loss.class_weights[3] == 0
    assert loss.class_weights.isfinite().all()
    assert loss.class_weights.mean().item() == pytest.approx(1)


def test_class_weights_are_in_the_state_whether_prepared_or_not() -> None:
    fresh, prepared = (SoftmaxConfig(class_weights="inverse").build(3, 4) for _ in range(2))
    prepared.prepare(COUNTS)
    assert set(fresh.state_dict()) == set(prepared.state_dict()) == {"linear.weight", "linear.bias", "class_weights"}
    fresh.load_state_dict(prepared.state_dict())
    embeddings, labels = torch.randn(2, 3), torch.tensor([0, 2])
    assert torch.equal(fresh(embeddings, labels), prepared(embeddings, labels))


def test_without_counts_there_is_no_loss() -> None:
    with pytest.raises(AssertionError, match="prepare"):
        SoftmaxConfig(class_weights="inverse").build(3, 4)(torch.randn(2, 3), torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="no class has one"):
        SoftmaxConfig(class_weights="inverse").build(3, 4).prepare(torch.zeros(4, dtype=torch.int64))


def test_networks_without_class_weights_keep_their_keys_and_identities() -> None:
    loss = SoftmaxConfig().build(3, 4)
    loss.prepare(COUNTS)
    assert set(loss.state_dict()) == {"linear.weight", "linear.bias"}
    assert SoftmaxConfig().identity() == {"name": "softmax", "label_smoothing": 0.0}
    assert SoftmaxConfig(class_weights="inverse").identity() == {
        "name": "softmax",
        "label_smoothing": 0.0,
        "class_weights": "inverse",
    }


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_cross_entropy_is_taken_in_single_precision(dtype: torch.dtype) -> None:
    loss = SoftmaxConfig().build(3, 4)
    with torch.autocast("cpu", dtype=dtype):
        value = loss(torch.randn(2, 3), torch.tensor([0, 2]))
    assert value.dtype == torch.float32


def test_weights_per_image_multiply_the_smoothed_loss_of_each_image() -> None:
    torch.manual_seed(0)
    loss = SoftmaxConfig(class_weights="balanced", weight_normalization="images", label_smoothing=0.1).build(4, 3)
    loss.prepare(torch.tensor([90, 9, 1]))
    embeddings, labels = torch.randn(8, 4), torch.tensor([0, 0, 0, 0, 0, 1, 1, 2])
    plain = SoftmaxConfig(label_smoothing=0.1).build(4, 3)
    plain.load_state_dict({f"linear.{name}": value for name, value in loss.linear.state_dict().items()})
    weights = [100 / 3 / count for count in (90, 9, 1)]
    wanted = sum(weights[label] * plain(embeddings[[row]], labels[[row]]) for row, label in enumerate(labels.tolist())) / 8
    torch.testing.assert_close(loss(embeddings, labels), wanted)

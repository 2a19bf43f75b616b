"""ArcFace's three forms against arccos written out, and against pytorch-metric-learning."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from losses_written_out import built, value_and_gradients

from modules.layers.margin_softmax import keep_unsampled
from modules.losses.arcface import ArcFaceConfig

N, D, C = 12, 5, 7


def angle_loss(embeddings, weight, labels, config):
    """Float64, image by image, with arccos and cos as the paper writes it."""
    total = torch.zeros((), dtype=torch.float64)
    margin, epsilon = config.margin, config.epsilon
    for x, label in zip(embeddings, labels.tolist(), strict=True):
        logits = []
        for number, w in enumerate(weight):
            cos = (x @ w) / (x.norm() * w.norm())
            if number == label:
                theta = torch.arccos(cos)
                if config.variant == "clipped":
                    changed = torch.cos((theta + margin).clamp(epsilon, math.pi - epsilon))
                elif theta.item() + margin <= math.pi:
                    changed = torch.cos(theta + margin)
                else:
                    changed = cos - margin * math.sin(margin)
                if config.easy_margin and cos.item() <= 0:
                    changed = cos
                cos = cos + (changed - cos).detach() if config.variant == "straight_through" else changed
            logits.append(config.scale * cos)
        total = total + torch.logsumexp(torch.stack(logits), 0) - logits[label]
    return total / len(embeddings)


def example(seed=0):
    """Embeddings at all angles to their centers: beyond pi - m, at a right angle, close by."""
    torch.manual_seed(seed)
    weight = torch.randn(C, D, dtype=torch.float64)
    labels = torch.arange(N) % C
    along = torch.nn.functional.normalize(weight[labels], dim=1)
    across = torch.randn(N, D, dtype=torch.float64)
    across = torch.nn.functional.normalize(across - (across * along).sum(1, keepdim=True) * along, dim=1)
    theta = torch.linspace(0.02, math.pi - 0.02, N, dtype=torch.float64)[:, None]
    return (torch.rand(N, 1).double() + 0.5) * (torch.cos(theta) * along + torch.sin(theta) * across), weight, labels


@pytest.mark.parametrize("variant", ["exact", "straight_through", "clipped"])
@pytest.mark.parametrize("easy_margin", [False, True])
@pytest.mark.parametrize(("margin", "scale"), [(0.5, 64.0), (0.5, 8.0), (1.2, 4.0), (0.0, 16.0)])
def test_value_and_gradients_equal_arccos_written_out(variant, easy_margin, margin, scale):
    config = ArcFaceConfig(variant=variant, easy_margin=easy_margin, margin=margin, scale=scale)
    embeddings, weight, labels = example()
    loss = built(config, weight)
    found = value_and_gradients(lambda x, w: torch.func.functional_call(loss, {"weight": w}, (x, labels)), embeddings, weight)
    expected = value_and_gradients(lambda x, w: angle_loss(x, w, labels, config), embeddings, weight)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_clipping_holds_from_below_as_well():
    config = ArcFaceConfig(variant="clipped", margin=0.02, epsilon=0.09, scale=4)
    embeddings, weight, labels = example()
    assert config.margin + 0.02 < config.epsilon  # the first image's angle is 0.02
    loss = built(config, weight)
    found = value_and_gradients(lambda x: loss(x, labels), embeddings)
    expected = value_and_gradients(lambda x: angle_loss(x, weight, labels, config), embeddings)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_exact_equals_pytorch_metric_learning():
    from pytorch_metric_learning.losses import ArcFaceLoss

    embeddings, weight, labels = example(1)
    peer = ArcFaceLoss(num_classes=C, embedding_size=D, margin=math.degrees(0.5), scale=64).double()
    peer.W.data = weight.T.clone()
    found = value_and_gradients(lambda x: built(ArcFaceConfig(), weight)(x, labels), embeddings)
    expected = value_and_gradients(lambda x: peer(x, labels), embeddings)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_straight_through_has_exacts_value_and_another_gradient():
    embeddings, weight, labels = example()
    value, gradient = value_and_gradients(lambda x: built(ArcFaceConfig(), weight)(x, labels), embeddings)
    other, changed = value_and_gradients(
        lambda x: built(ArcFaceConfig(variant="straight_through"), weight)(x, labels), embeddings
    )
    torch.testing.assert_close(value, other, rtol=1e-12, atol=0)
    assert (gradient - changed).abs().max() > 1e-3


def test_no_image_gains_from_a_larger_angle_anywhere():
    """The exact form falls all the way to theta = pi, also where cos(theta + m) would rise again."""
    margined = ArcFaceConfig().build(2, 2).margined
    cosines = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    assert (margined(cosines).diff() > 0).all()
    assert (margined(cosines) <= cosines).all()


@pytest.mark.parametrize("variant", ["exact", "straight_through", "clipped"])
@pytest.mark.parametrize("easy_margin", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_it_is_finite_where_embedding_and_center_point_the_same_or_opposite_way(variant, easy_margin, dtype, cosine):
    loss = ArcFaceConfig(variant=variant, easy_margin=easy_margin).build(4, 3)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[1.0, 0, 0, 0], [0.3, 0.5, 0.1, -0.2], [0.25, 0.25, 0.25, 0.25]]))
    loss = loss.to(dtype)
    rows = (cosine * loss.weight.detach()).clone().requires_grad_()
    value = loss(rows, torch.arange(3))
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()
    assert loss.weight.grad.isfinite().all()
    assert rows.grad.abs().max() < 1e3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_around_it_costs_no_more_than_the_rounding_of_its_input(dtype):
    embeddings, weight, labels = example()
    loss = built(ArcFaceConfig(), weight).float()
    with torch.autocast("cpu", dtype=dtype):
        found = loss(embeddings.to(dtype), labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(embeddings.to(dtype).float(), labels), rtol=0, atol=0)


@pytest.mark.parametrize("variant", ["exact", "straight_through", "clipped"])
@settings(max_examples=60, deadline=None)
@given(margins=st.tuples(st.floats(0, math.pi / 2), st.floats(0, math.pi / 2)), seed=st.integers(0, 10**6))
def test_a_larger_margin_never_lowers_the_loss(variant, margins, seed):
    low, high = sorted(margins)
    embeddings, weight, labels = example(seed)
    values = [
        built(ArcFaceConfig(variant=variant, margin=margin, scale=8), weight)(embeddings, labels).item()
        for margin in (low, high)
    ]
    assert values[0] <= values[1] + 1e-10


@pytest.mark.parametrize("variant", ["exact", "straight_through", "clipped"])
def test_the_easy_margin_begins_at_a_right_angle(variant):
    margined = ArcFaceConfig(variant=variant, easy_margin=True).build(2, 2).margined
    cosines = torch.tensor([-1.0, -0.01, 0.0, 0.01, 0.99], dtype=torch.float64)
    assert (margined(cosines) < cosines).tolist() == [False, False, False, True, True]
    assert torch.equal(margined(cosines)[:3], cosines[:3])


def test_margin_zero_is_softmax_at_cosines():
    embeddings, weight, labels = example()
    loss = built(ArcFaceConfig(margin=0.0), weight)
    expected = torch.nn.functional.cross_entropy(loss.logits(embeddings), labels)
    torch.testing.assert_close(loss(embeddings, labels), expected, rtol=1e-12, atol=0)


def test_logits_are_scaled_cosines_without_the_margin():
    embeddings, weight, _ = example()
    expected = 64 * torch.nn.functional.cosine_similarity(embeddings[:, None], weight[None], dim=2)
    torch.testing.assert_close(built(ArcFaceConfig(), weight).logits(embeddings), expected)


def test_a_sample_is_the_loss_over_those_classes_and_evaluation_is_over_all():
    embeddings, weight, labels = example()
    embeddings, labels = embeddings[:4], labels[:4] % 2
    loss = built(ArcFaceConfig(sample=0.5, scale=8), weight)
    keep_unsampled(loss, torch.optim.SGD(loss.parameters(), 0.1))
    value = loss(embeddings, labels)
    value.backward()
    rows = loss.weight.grad.abs().sum(1).nonzero().flatten()
    assert len(rows) == 4
    assert set(rows.tolist()) > {0, 1}
    few = built(ArcFaceConfig(scale=8), weight[rows])
    torch.testing.assert_close(value, few(embeddings, labels), rtol=1e-12, atol=0)
    whole = built(ArcFaceConfig(scale=8), weight)(embeddings, labels)
    torch.testing.assert_close(loss.eval()(embeddings, labels), whole, rtol=1e-12, atol=0)

"""What holds for every loss, and that the docs show each."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.lookup import known, resolve
from modules.layers.margin_softmax import keep_unsampled

ROOT = Path(__file__).resolve().parents[4]
LOSSES = [
    "softmax",
    {"name": "softmax", "class_weights": "inverse"},
    {"name": "softmax", "class_weights": "balanced", "weight_normalization": "images"},
    "arcface",
    {"name": "arcface", "variant": "straight_through"},
    {"name": "arcface", "variant": "clipped"},
    {"name": "arcface", "easy_margin": True},
    {"name": "arcface", "sample": 0.5},
    "cosface",
    "adaface",
    "magface",
    "curricularface",
    "mv_softmax",
    {"name": "mv_softmax", "form": "am", "weighting": "fixed"},
    "elasticface",
    {"name": "elasticface", "form": "cos", "plus": True},
    "subcenter_arcface",
    "center",
    "triplet",
    {"name": "triplet", "negatives": "hardest"},
    {"name": "triplet", "mining": "hard_negative"},
    {"name": "triplet", "mining": "batch_hard"},
    {"name": "triplet", "mining": "all"},
    {"name": "triplet", "mining": "offline"},
    "softmax + 0.008 center",
]
SCALE_FREE = [loss for loss in LOSSES if re.search("arcface|cosface|curricular|mv_|elastic|triplet", str(loss))]
UNORDERED = [loss for loss in LOSSES if not re.search("elastic", str(loss))]  # margins are drawn image by image


def built(loss, dtype=torch.float64):
    torch.manual_seed(0)
    module = resolve("loss", loss).build(5, 6)
    if hasattr(module, "prepare"):
        module.prepare(torch.tensor([5, 1, 3, 4, 2, 6]))
    if list(module.parameters()):
        keep_unsampled(module, torch.optim.SGD(module.parameters(), 0.1))
    return module.to(dtype)


def batch(seed=0):
    torch.manual_seed(seed)
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4, 0])
    return torch.randn(10, 5, dtype=torch.float64), labels


def outcome(module, embeddings, labels):
    leaf = embeddings.detach().clone().requires_grad_()
    torch.manual_seed(11)
    value = module(leaf, labels)
    value.backward()
    return value.detach(), leaf.grad


def test_every_file_is_tested_here():
    tested = {resolve("loss", loss).name for loss in LOSSES}
    assert tested | {"regression", "binary"} == set(known("loss"))  # numbers and two classes: files of their own


@pytest.mark.parametrize("loss", UNORDERED, ids=str)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_order_of_a_batch_does_not_matter(loss, seed):
    embeddings, labels = batch(seed)
    order = torch.randperm(len(labels))
    value, gradient = outcome(built(loss), embeddings, labels)
    other, changed = outcome(built(loss), embeddings[order], labels[order])
    torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(gradient[order], changed, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("loss", SCALE_FREE, ids=str)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), power=st.floats(-3, 3))
def test_the_lengths_of_embeddings_do_not_matter(loss, seed, power):
    embeddings, labels = batch(seed)
    lengths = 10**power * (0.5 + torch.rand(len(labels), 1, dtype=torch.float64))
    value, gradient = outcome(built(loss), embeddings, labels)
    other, changed = outcome(built(loss), lengths * embeddings, labels)
    torch.testing.assert_close(value, other, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, lengths * changed, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_zero_embeddings_give_finite_numbers(loss, dtype):
    """A dead layer: 0 / 0 is NaN, and 0 / 1e-12 overflows half precision on the way back."""
    module = built(loss, torch.float32)
    rows = torch.zeros(10, 5, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        value = module(rows.float() if dtype == torch.float16 else rows, batch()[1])
    value.backward()
    assert value.isfinite()
    assert rows.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in module.parameters())


@pytest.mark.parametrize("loss", [*LOSSES, "binary"], ids=str)
@pytest.mark.parametrize("training", [True, False])
def test_an_unknown_label_is_an_error_and_no_class(loss, training):
    module = resolve("loss", "binary").build(5, 2) if loss == "binary" else built(loss, torch.float32)
    labels = torch.tensor([0, 0, 1, 1, -1, -1])
    with pytest.raises((IndexError, RuntimeError, ValueError)):
        module.train(training)(torch.randn(6, 5), labels)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_state_resumes_to_the_bit(loss):
    whole, resumed = built(loss), built(loss)
    embeddings, labels = batch()
    outcome(whole, embeddings, labels)
    resumed.load_state_dict(whole.state_dict())
    for one, other in zip(outcome(whole, *batch(1)), outcome(resumed, *batch(1)), strict=True):
        assert torch.equal(one, other)
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in resumed.state_dict().items())


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_what_classifies_has_logits_and_nothing_else_has(loss):
    config = resolve("loss", loss)
    if config.classifies:
        assert built(loss).logits(batch()[0]).shape == (10, 6)
    else:
        assert not hasattr(built(loss), "logits")


def test_each_loss_is_shown_in_the_docs_by_a_line_that_resolves():
    text = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("loss:")]
    shown = [resolve("loss", yaml.safe_load(line)["loss"]) for line in lines]
    assert {one.name for one in shown} == set(known("loss"))
    for field, values in {
        "variant": {"exact", "straight_through", "clipped"},
        "mining": {"semi_hard", "hard_negative", "batch_hard", "all", "offline"},
        "class_weights": {"none", "inverse", "balanced", "effective_number"},
    }.items():
        assert values <= {getattr(one, field, None) for one in shown}, field

"""A sum of losses, in long and in short."""

import re
from pathlib import Path

import pytest
import torch

from configs.lookup import resolve
from grid.spec.grid_file import BadInput, read
from modules.losses.sum import SumConfig

GRID = """
name: two
base:
  data: {{name: drawn, subjects: 4, shots: 4}}
  loss: softmax
  backbone: alexnet
  recipe: one_cycle
axes:
  loss:
    alone: {{}}
    both: {{{level}}}
"""


def both():
    return resolve("loss", "softmax + 0.008 center")


def test_it_is_the_weighted_sum_of_its_terms():
    torch.manual_seed(0)
    loss = both().build(4, 3)
    embeddings, labels = torch.randn(6, 4, requires_grad=True), torch.tensor([0, 1, 2, 0, 1, 2])
    value = loss.eval()(embeddings, labels)
    softmax, center = loss.terms
    torch.testing.assert_close(value, softmax(embeddings, labels) + 0.008 * center(embeddings, labels))
    gradients = [torch.autograd.grad(term(embeddings, labels), embeddings)[0] for term in loss.terms]
    torch.testing.assert_close(torch.autograd.grad(value, embeddings)[0], gradients[0] + 0.008 * gradients[1])


def test_the_first_term_that_classifies_gives_the_logits():
    loss = resolve("loss", "0.1 center + arcface + softmax").build(4, 3)
    embeddings = torch.randn(2, 4)
    assert torch.equal(loss.logits(embeddings), loss.terms[1].logits(embeddings))


@pytest.mark.parametrize(
    ("text", "classifies", "needs"),
    [
        ("softmax + 0.008 center", True, set()),
        ("center + triplet", False, {"pairs"}),
        ("arcface + 0.5 triplet", True, {"pairs"}),
    ],
)
def test_a_sum_says_what_its_terms_say(text, classifies, needs):
    assert resolve("loss", text).classifies is classifies
    assert resolve("loss", text).needs() == needs


def test_counts_reach_the_terms_that_want_them():
    term = {"weight": 1, "loss": {"name": "softmax", "class_weights": "inverse"}}
    loss = SumConfig(terms=[{"loss": "center"}, term]).build(4, 2)
    loss.prepare(torch.tensor([1, 3]))
    torch.testing.assert_close(loss.terms[1].class_weights, torch.tensor([1.5, 0.5]))


def test_centers_move_within_a_sum():
    loss = both().build(4, 3)
    loss(torch.ones(3, 4), torch.tensor([0, 1, 1]))
    assert (loss.terms[1].centers != 0).any(dim=1).tolist() == [True, True, False]


def test_short_and_long_are_one_identity():
    long = {"name": "sum", "terms": [{"weight": 1, "loss": "softmax"}, {"weight": 0.008, "loss": {"name": "center"}}]}
    assert resolve("loss", long).identity() == both().identity()
    assert both().identity() == {
        "name": "sum",
        "terms": [
            {"weight": 1.0, "loss": {"name": "softmax", "label_smoothing": 0.0}},
            {"weight": 0.008, "loss": {"name": "center", "alpha": 0.5}},
        ],
    }
    assert type(both()).model_validate(both().model_dump(mode="json")) == both()


def complaint(tmp_path: Path, level: str) -> str:
    file = tmp_path / "two.yaml"
    file.write_text(GRID.format(level=level))
    with pytest.raises(BadInput) as found:
        list(read(file).combinations())
    return str(found.value)


def test_a_level_of_a_grid_may_be_a_sum(tmp_path):
    file = tmp_path / "two.yaml"
    for level in ("loss: softmax + 0.008 center", "loss.name: softmax + 0.008 center"):
        file.write_text(GRID.format(level=level))
        alone, sums = (point.cell.loss for point in read(file).combinations())
        assert (alone, sums) == (resolve("loss", "softmax"), both())


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("loss: sofmax + 0.008 center", r"two.yaml:\d+: loss.terms.0.loss: unknown loss 'sofmax'; did you mean 'softmax'\?"),
        ("loss: softmax + 0.008", r"two.yaml:\d+: loss: .* has the term '0.008'; a sum is written like"),
        ("loss: softmax + ", r"has the term ''"),
        ("loss: softmax - 0.1 center", r"has the term 'softmax - 0.1 center'"),
        ("loss: softmax + -1 center", r"has the term '-1 center'"),
        (
            "loss.name: softmax + center, loss.alpha: 0.1",
            r"'softmax \+ center' is short for a sum, and 'alpha' is a key of one",
        ),
        ("loss: {name: sum, terms: []}", r"loss.terms"),
        (
            "loss: {name: sum, terms: [{weight: 1, loss: softmax, wieght: 2}]}",
            r"unknown key 'loss.terms.0.wieght'; did you mean",
        ),
        (
            "loss: {name: sum, terms: [{loss: {name: center, alhpa: 1}}]}",
            r"unknown key .*alhpa'; did you mean 'loss.terms.0.loss.alpha'",
        ),
        ("loss: {name: sum, terms: [{weight: -1, loss: softmax}]}", r"loss.terms.0.weight: .* found -1"),
    ],
)
def test_a_sum_that_makes_no_sense_is_refused_in_one_line(tmp_path, level, said):
    found = complaint(tmp_path, level)
    assert "\n" not in found
    assert re.search(said, found), found


@pytest.mark.parametrize("text", ["softmax + 0.5 regression", "regression + center", "regression"])
def test_a_loss_of_numbers_is_no_term(text):
    with pytest.raises(ValueError, match="regression predicts numbers, and a sum of losses predicts classes"):
        resolve("loss", {"name": "sum", "terms": [{"loss": name.split()[-1]} for name in text.split(" + ")]})

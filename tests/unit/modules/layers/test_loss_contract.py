"""What a loss must return; mistakes of its author are one line, also in a sum and with several targets."""

from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from configs.contract import ContractError
from configs.lookup import resolve
from configs.network_interfaces import LossConfig
from modules.layers.loss_contract import checked_logits, checked_loss, checked_module
from modules.losses.sum import SumConfig, Term
from modules.network import Network
from modules.targets import TargetPart, TargetsConfig

EMBEDDINGS = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
WRONG: dict[str, Any] = {
    "per image": lambda e: e.sum(1),
    "matrix": lambda e: e * 2,
    "number": lambda e: 0.5,
    "none": lambda e: None,
    "whole": lambda e: e.sum().long(),
    "detached": lambda e: e.sum().detach(),
}
SAID = {
    "per image": r"forward returned Tensor float32 \(\d+,\); expected a scalar tensor of floats",
    "matrix": r"forward returned Tensor float32 \(\d+, 4\); expected a scalar tensor of floats",
    "number": "forward returned 0.5; expected a scalar tensor",
    "none": "forward returned None; expected a scalar tensor",
    "whole": r"forward returned Tensor int64 \(\); expected a scalar tensor of floats",
    "detached": r"forward returned a tensor without gradient; .*see docs/extending/loss.md",
}


class OddConfig(LossConfig):
    name: Literal["odd"] = "odd"
    classifies: ClassVar[bool] = False
    how: str = "none"

    def build(self, dimension: int, classes: int) -> nn.Module:
        return Odd(self.how)


class Odd(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor) -> Any:
        return WRONG[self.how](embeddings)


def network(loss: LossConfig, classes: Any = 5) -> Network:
    parts: list[Any] = [resolve("backbone", "alexnet"), resolve("head", {"name": "gap_bn", "dimension": 4})]
    return Network(parts[0], parts[1], loss, classes, size=64).eval()


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("place", ["alone", "sum", "targets"])
def test_a_wrong_loss_is_named_wherever_it_is_used(how: str, place: str) -> None:
    odd, images, labels = OddConfig(how=how), torch.randn(3, 3, 64, 64), torch.zeros(3)
    classes: Any = 5
    loss: LossConfig = odd
    if place == "sum":
        loss, labels = SumConfig(terms=(Term(loss=resolve("loss", "softmax")), Term(loss=odd))), labels.long()  # type: ignore[arg-type]
    elif place == "targets":
        loss, labels, classes = TargetsConfig(parts={"age": TargetPart(loss=odd)}), labels[:, None], {"age": 5}
    with pytest.raises(ContractError, match=f"^loss 'odd': {SAID[how]}") as refused:
        network(loss, classes).loss_of(images, labels)
    assert "\n" not in str(refused.value)


def test_a_right_loss_is_returned_unchanged_and_needs_no_gradient_in_validation() -> None:
    right = EMBEDDINGS.square().mean()
    assert checked_loss(right, "right", EMBEDDINGS) is right
    plain = torch.tensor(1.0)
    assert checked_loss(plain, "right", EMBEDDINGS.detach()) is plain
    with torch.no_grad():
        assert checked_loss(plain, "right", EMBEDDINGS) is plain


@pytest.mark.parametrize("value", [torch.zeros(8, 4), torch.zeros(5), None, torch.zeros(8, 5).long()])
def test_logits_of_another_shape_or_type_are_refused(value: Any) -> None:
    with pytest.raises(
        ContractError, match=r"^loss 'x': logits returned .*; expected a float tensor \(8, 5\), one logit per class"
    ):
        checked_logits(value, "x", 8, 5)
    assert checked_logits(torch.zeros(8, 5), "x", 8, 5).shape == (8, 5)


def test_a_loss_that_classifies_has_logits() -> None:
    class Forgetful(OddConfig):
        classifies: ClassVar[bool] = True

    with pytest.raises(ContractError, match=r"^loss 'odd': build returned an Odd; expected one with logits.*classifies"):
        network(Forgetful())
    with pytest.raises(ContractError, match=r"^loss 'odd': build returned an Odd; expected one with logits"):
        network(SumConfig(terms=(Term(loss=Forgetful()),)))
    with pytest.raises(ContractError, match=r"^loss 'x': build returned 3; expected a torch.nn.Module"):
        checked_module(3, "x", False)


def test_a_head_of_another_dimension_is_named() -> None:
    found = network(resolve("loss", "softmax"))  # type: ignore[arg-type]
    found.head = nn.Flatten()
    with pytest.raises(
        ContractError, match=r"^head 'gap_bn': forward returned Tensor float32 \(2, 256\); expected a tensor \(2, 4\)"
    ):
        found.embed(torch.randn(2, 3, 64, 64))

"""Checks what a loss returns, so that a mistake of its author is one line that names the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from configs.contract import ContractError, broken, naming, see

PAGE = "loss"  # of docs/extending


def checked_loss(value: Any, name: str, embeddings: Tensor) -> Tensor:
    """Returns what ``forward`` of the loss ``name`` returned for ``embeddings`` (N, dimension).

    Raises:
        ContractError: it is no scalar tensor of floats, or has no gradient although the embeddings have one.
    """
    with naming("loss", name):
        if not isinstance(value, Tensor) or value.ndim != 0 or not value.is_floating_point():
            expected = "a scalar tensor of floats, such as the mean over the batch"
            raise broken("forward returned", value, expected, PAGE)
        if torch.is_grad_enabled() and embeddings.requires_grad and not value.requires_grad:
            raise ContractError(
                "forward returned a tensor without gradient; expected one computed from the embeddings by torch, without "
                f"detach(), item() or numpy; {see(PAGE)}"
            )
        return value


def checked_logits(value: Any, name: str, count: int, classes: int) -> Tensor:
    """Returns what ``logits`` of the loss ``name`` returned for ``count`` embeddings; raises ContractError as above."""
    with naming("loss", name):
        if not isinstance(value, Tensor) or tuple(value.shape) != (count, classes) or not value.is_floating_point():
            raise broken("logits returned", value, f"a float tensor ({count}, {classes}), one logit per class", PAGE)
        return value


def checked_module(loss: Any, name: str, classifies: bool) -> Any:
    """Returns a built loss.

    Raises:
        ContractError: it is no ``nn.Module``, or it has no ``logits`` although its config says that it classifies.
    """
    with naming("loss", name):
        if not isinstance(loss, torch.nn.Module):
            raise broken("build returned", loss, "a torch.nn.Module", PAGE)
        if classifies and not callable(getattr(loss, "logits", None)):
            expected = "one with logits(embeddings), or classifies: ClassVar[bool] = False in its config"
            raise broken("build returned", loss, expected, PAGE)
        return loss

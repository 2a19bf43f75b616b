"""Margin losses image by image in float64, with angles as the papers write them; the second derivation of each loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def example(seed: int = 0, images: int = 12, dimension: int = 5, classes: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings (of different lengths) at all angles to their centers, centers, labels."""
    torch.manual_seed(seed)
    weight = torch.randn(classes, dimension, dtype=torch.float64)
    labels = torch.arange(images) % classes
    along = torch.nn.functional.normalize(weight[labels], dim=1)
    across = torch.randn(images, dimension, dtype=torch.float64)
    across = torch.nn.functional.normalize(across - (across * along).sum(1, keepdim=True) * along, dim=1)
    theta = torch.linspace(0.05, torch.pi - 0.05, images, dtype=torch.float64)[:, None]
    lengths = 40 * torch.rand(images, 1, dtype=torch.float64) + 5
    return lengths * (torch.cos(theta) * along + torch.sin(theta) * across), weight, labels


def cosine(x: Tensor, w: Tensor) -> Tensor:
    return (x @ w) / (x.norm() * w.norm())


def arc(cos: Tensor, margin: Any) -> Tensor:
    """cos(theta + m), and cos(theta) - m sin(m) past pi."""
    theta = torch.arccos(cos)
    m = margin if isinstance(margin, Tensor) else torch.tensor(margin, dtype=torch.float64)
    return torch.cos(theta + m) if theta.item() + m.item() <= torch.pi else cos - m * torch.sin(m)


def cross_entropy(
    embeddings: Tensor,
    weight: Tensor,
    labels: Tensor,
    scale: float,
    target: Callable[[int, Tensor, Tensor], Tensor],
    other: Callable[[Tensor, Tensor], Tensor] = lambda cos, target: cos,
) -> Tensor:
    """Mean cross-entropy; ``target(image, cos, embedding)`` and ``other(cos, target)`` give cosines with margins."""
    total = torch.zeros((), dtype=torch.float64)
    for image, (x, label) in enumerate(zip(embeddings, labels.tolist(), strict=True)):
        true = target(image, cosine(x, weight[label]), x)
        logits = [scale * (true if n == label else other(cosine(x, w), true)) for n, w in enumerate(weight)]
        total = total + torch.logsumexp(torch.stack(logits), 0) - logits[label]
    return total / len(embeddings)


def built(config: Any, weight: Tensor, classes: int | None = None) -> Any:
    """The loss with these centers, float64, in training mode."""
    loss = config.build(weight.shape[1], classes or len(weight)).to(weight.dtype)
    with torch.no_grad():
        loss.weight.copy_(weight)
    return loss


def check(loss: Any, written: Callable[[Tensor, Tensor], Tensor], embeddings: Tensor, weight: Tensor, labels: Tensor) -> None:
    """Value, and gradients with respect to embeddings and centers, are equal."""
    state = {name: value.clone() for name, value in loss.state_dict().items()}

    def ours(x: Tensor, w: Tensor) -> Tensor:
        loss.load_state_dict(state)
        return torch.func.functional_call(loss, {"weight": w}, (x, labels))  # type: ignore[no-any-return]

    for one, other in zip(
        value_and_gradients(ours, embeddings, weight), value_and_gradients(written, embeddings, weight), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def value_and_gradients(compute: Callable[..., Tensor], *leaves: Tensor) -> tuple[Tensor, ...]:
    own = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    value = compute(*own)
    return value.detach(), *torch.autograd.grad(value, own)

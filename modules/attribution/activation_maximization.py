"""Images that score high (Mahendran and Vedaldi, "Visualizing Deep CNNs Using Natural Pre-images", IJCV 2016).

Gradient ascent on the score, with an image prior and jitter. The prior is of two parts: the alpha-norm, sum of |x|^alpha, which
keeps colours in range, and the total variation, sum of (dx^2 + dy^2)^(beta / 2), which keeps the image smooth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from modules.attribution.explainer import Refused
from modules.attribution.hooks import evaluating
from modules.attribution.targets import Cosine, Target


@dataclass(frozen=True)
class Prior:
    """What an image should be like; a weight is relative to the score's gradient, which is scaled to root mean square 1.

    Attributes:
        alpha, alpha_weight: of the alpha-norm; the paper's alpha is 6
        beta, tv_weight: of the total variation
        jitter: pixels; in each step the image is moved around by up to so many in each direction
        rate: how far a step goes, of the range -1 to 1
        momentum: share of the last step that goes on
    """

    alpha: float = 6.0
    alpha_weight: float = 0.1
    beta: float = 2.0
    tv_weight: float = 0.1
    jitter: int = 4
    rate: float = 0.02
    momentum: float = 0.9


@dataclass(frozen=True)
class Maximized:
    """N images.

    Attributes:
        starts, images: (N, 3, H, W) in [-1, 1]
        course: (N, steps + 1), the score before each step and after the last; that of the image as it is, not moved
    """

    starts: Tensor
    generated: Tensor
    course: Tensor


def maximize(
    network: Any,
    target: Target,
    size: int | tuple[int, int],
    steps: int,
    seed: int,
    prior: Prior | None = None,
    starts: Tensor | None = None,
) -> Maximized:
    """An image for each row of ``target``, of (H, W) pixels as ``size`` says, after ``steps`` steps.

    Images are made one by one, and each depends on its own row alone. The network is left as it was.

    Args:
        network: as ``modules.network.Network``
        target: N rows
        size: (H, W), or one number for both
        steps: forward and backward passes; each has one forward pass beside it, for the course
        seed: of the noise that images start from, and of the jitter; the same for all of them
        prior: None: as its defaults are
        starts: (N, 3, H, W) in [-1, 1] instead of noise, which is uniform in [-0.1, 0.1]

    Raises:
        Refused: ``no_gradient``: the score does not depend on the image; ``not_finite``: it is NaN or infinite.
    """
    high, wide = (size, size) if isinstance(size, int) else size
    if isinstance(target, Cosine):  # to climb needs the slope of the score itself, through its norm too
        target = replace(target, detach_norm=False)
    weight = next(network.parameters())
    generated, courses, begun = [], [], []
    with torch.inference_mode(False), evaluating(network):
        for row in range(len(target)):
            generator = torch.Generator().manual_seed(seed)
            noise = torch.rand((1, 3, high, wide), generator=generator, dtype=torch.float64) * 0.2 - 0.1
            start = (noise if starts is None else starts[row : row + 1].detach()).to(weight)
            canvas, course = _ascend(network, target.take([row]), start.clone(), steps, generator, prior or Prior())
            begun.append(start)
            generated.append(canvas)
            courses.append(course)
    return Maximized(torch.cat(begun), torch.cat(generated), torch.stack(courses))


def _ascend(
    network: Any, target: Target, canvas: Tensor, steps: int, generator: torch.Generator, prior: Prior
) -> tuple[Tensor, Tensor]:
    """The image (1, 3, H, W) and its course (steps + 1,)."""
    course = []
    speed = torch.zeros_like(canvas)
    for _ in range(steps):
        with torch.no_grad():
            course.append(_finite(target.scores(network, network.embed(canvas))))
        moves = torch.randint(-prior.jitter, prior.jitter + 1, (2,), generator=generator).tolist()
        with torch.enable_grad():
            leaf = torch.roll(canvas, moves, (2, 3)).requires_grad_()
            score = _finite(target.scores(network, network.embed(leaf)))
            gradient = torch.autograd.grad(score, leaf)[0] if score.requires_grad else torch.zeros_like(leaf)
        scale = gradient.square().mean().sqrt()
        if not scale > 0:
            raise Refused("no_gradient", "the score does not change with the image, so nothing says where to go")
        back = torch.roll(gradient, [-move for move in moves], (2, 3)) / scale
        speed = prior.momentum * speed + back - prior_gradient(canvas, prior)
        canvas = (canvas + prior.rate * (1 - prior.momentum) * speed).clamp(-1, 1)
    with torch.no_grad():
        course.append(_finite(target.scores(network, network.embed(canvas))))
    return canvas, torch.stack([score.detach() for score in course])


def _finite(scores: Tensor) -> Tensor:
    score = scores[0]
    if not torch.isfinite(score):
        raise Refused("not_finite", f"the image's score is {float(score)}, such as the cosine of an embedding of length 0")
    return score


def prior_value(canvas: Tensor, prior: Prior) -> Tensor:
    """What the prior holds against an image (1, 3, H, W): a scalar, the sum over pixels and colours."""
    norm = canvas.abs().pow(prior.alpha).sum()
    across = canvas[..., :-1, 1:] - canvas[..., :-1, :-1]
    down = canvas[..., 1:, :-1] - canvas[..., :-1, :-1]
    squares = across.square() + down.square()
    # The root has no slope at 0; where nothing changes, nothing is held against it.
    variation = torch.where(squares > 0, torch.where(squares > 0, squares, 1).pow(prior.beta / 2), 0).sum()
    return prior.alpha_weight * norm + prior.tv_weight * variation


def prior_gradient(canvas: Tensor, prior: Prior) -> Tensor:
    """Derivative of ``prior_value`` by the image."""
    with torch.enable_grad():
        leaf = canvas.detach().clone().requires_grad_()
        return torch.autograd.grad(prior_value(leaf, prior), leaf)[0]

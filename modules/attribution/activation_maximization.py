"""Activation maximization (Mahendran and Vedaldi, "Visualizing Deep CNNs Using Natural Pre-images", IJCV 2016).

Gradient ascent on the score, with an image prior and jitter. The prior has two terms: the alpha-norm, sum of |x|^alpha, which
keeps colors in range, and the total variation, sum of (dx^2 + dy^2)^(beta / 2), which keeps the image smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from modules.attribution.explainer import Refused
from modules.attribution.hooks import evaluating
from modules.attribution.targets import Cosine, Target


@dataclass(frozen=True)
class Prior:
    """Image prior and step settings. Weights are relative to the score's gradient, which is scaled to root mean square 1.

    Attributes:
        alpha, alpha_weight: exponent and weight of the alpha-norm; the paper's alpha is 6
        beta, tv_weight: exponent and weight of the total variation
        jitter: maximum shift of the image per step and direction, in pixels; pixels wrap around
        rate: step size, in units of the input range -1 to 1
        momentum: share of the previous step that is carried over
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
    """Result for N images.

    Attributes:
        starts, generated: (N, 3, H, W) in [-1, 1], the initial and the final images
        course: (N, steps + 1), the score before each step and after the last, of the image without jitter
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
    """Runs ``steps`` steps of gradient ascent and returns one image of ``size`` for each row of ``target``.

    Images are computed one by one; each depends only on its own row. The network is left unchanged.

    Args:
        network: as ``modules.network.Network``
        target: N rows
        size: (H, W), or one number for both
        steps: forward and backward passes; each needs one more forward pass, for the course
        seed: of the initial noise and of the jitter; the same for all images
        prior: None: the defaults of ``Prior``
        starts: initial images (N, 3, H, W) in [-1, 1]; None: noise, uniform in [-0.1, 0.1]

    Raises:
        Refused: ``no_gradient``: the score does not depend on the image; ``not_finite``: it is NaN or infinite.
    """
    high, wide = (size, size) if isinstance(size, int) else size
    if isinstance(target, Cosine):  # ascent needs the gradient of the score itself, including the norm
        target = replace(target, detach_norm=False)
    weight = next(network.parameters())
    generated, courses, begun = [], [], []
    with torch.inference_mode(False), evaluating(network):
        for row in range(len(target)):
            generator = torch.Generator().manual_seed(seed)
            noise = torch.rand((1, 3, high, wide), generator=generator, dtype=torch.float64) * 0.2 - 0.1
            start = (noise if starts is None else starts[row : row + 1].detach()).to(weight)
            one = target.take([row]).to(weight.device)  # otherwise the CPU would wait for a GPU at each step
            canvas, course = _ascend(network, one, start.clone(), steps, generator, prior or Prior())
            begun.append(start)
            generated.append(canvas)
            courses.append(course)
    return Maximized(torch.cat(begun), torch.cat(generated), torch.stack(courses))


def _ascend(
    network: Any, target: Target, canvas: Tensor, steps: int, generator: torch.Generator, prior: Prior
) -> tuple[Tensor, Tensor]:
    """Returns the image (1, 3, H, W) and its course (steps + 1,)."""
    course, seen = [], []
    speed = torch.zeros_like(canvas)
    for _ in range(steps):
        with torch.no_grad():
            course.append(target.scores(network, network.embed(canvas))[0])
        moves = torch.randint(-prior.jitter, prior.jitter + 1, (2,), generator=generator).tolist()
        with torch.enable_grad():
            leaf = torch.roll(canvas, moves, (2, 3)).requires_grad_()
            score = target.scores(network, network.embed(leaf))[0]
            gradient = torch.autograd.grad(score, leaf)[0] if score.requires_grad else torch.zeros_like(leaf)
        scale = gradient.square().mean().sqrt()
        seen.append(torch.stack([course[-1].detach(), score.detach(), scale]))
        if len(seen) == 1:
            _check(seen)
        back = torch.roll(gradient, [-move for move in moves], (2, 3)) / scale
        speed = prior.momentum * speed + back - prior_gradient(canvas, prior)
        canvas = (canvas + prior.rate * (1 - prior.momentum) * speed).clamp(-1, 1)
    with torch.no_grad():
        course.append(target.scores(network, network.embed(canvas))[0])
    _check([*seen, torch.stack([course[-1], course[-1], torch.ones_like(course[-1])])])
    return canvas, torch.stack([score.detach() for score in course])


def _check(seen: Sequence[Tensor]) -> None:
    """Refuses what cannot be maximized. Reads all steps at once: a GPU would wait for each one.

    Args:
        seen: of each step (3,): the score of the image and of the shifted image, and the root mean square of the gradient
    """
    for *scores, scale in torch.stack(list(seen)).tolist():
        for score in scores:
            if not math.isfinite(score):
                raise Refused("not_finite", f"the image's score is {score}, such as the cosine of an embedding of length 0")
        if not scale > 0:
            raise Refused("no_gradient", "the score does not change with the image, so nothing says where to go")


def prior_value(canvas: Tensor, prior: Prior) -> Tensor:
    """Penalty of the prior for an image (1, 3, H, W): a scalar, summed over pixels and channels."""
    norm = canvas.abs().pow(prior.alpha).sum()
    across = canvas[..., :-1, 1:] - canvas[..., :-1, :-1]
    down = canvas[..., 1:, :-1] - canvas[..., :-1, :-1]
    squares = across.square() + down.square()
    # The root has no gradient at 0; constant regions get no penalty.
    variation = torch.where(squares > 0, torch.where(squares > 0, squares, 1).pow(prior.beta / 2), 0).sum()
    return prior.alpha_weight * norm + prior.tv_weight * variation


def prior_gradient(canvas: Tensor, prior: Prior) -> Tensor:
    """Gradient of ``prior_value`` with respect to the image."""
    with torch.enable_grad():
        leaf = canvas.detach().clone().requires_grad_()
        return torch.autograd.grad(prior_value(leaf, prior), leaf)[0]

"""Activation maximization (Mahendran and Vedaldi, "Visualizing Deep CNNs Using Natural Pre-images", IJCV 2016).

Gradient ascent on the score, with an image prior and jitter. The prior has two terms: the alpha-norm, sum of |x|^alpha, which
keeps colors in range, and the total variation, sum of (dx^2 + dy^2)^(beta / 2), which keeps the image smooth.

The result is an image for the target, not a map of the probe image. The generated image is returned, and the map shows where it
differs from the initial image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.checks import as_array, check_images
from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.targets import Cosine, Target
from modules.shape_inference import Size, shape_of, sides


class ActivationMaximizationConfig(ExplainerConfig):
    """Weights of the prior are relative to the score's gradient, which is scaled to root mean square 1.

    Fields:
        start: ``noise`` around mid-gray, so that the probe image matters only through its target; or the probe ``image``
        steps: number of gradient ascent steps; each is a forward and a backward pass, and one more forward pass, for the course
        seed: of noise and jitter; the same for all images
        alpha, alpha_weight: exponent and weight of the alpha-norm; the paper's alpha is 6
        beta, tv_weight: exponent and weight of the total variation
        jitter: maximum shift of the image per step and direction, in pixels; pixels wrap around
        rate: step size, in units of the input range -1 to 1
        momentum: share of the previous step that is carried over
    """

    name: Literal["activation_maximization"] = "activation_maximization"
    start: Literal["noise", "image"] = "noise"
    steps: int = Field(default=200, ge=1)
    seed: int = Field(default=0, ge=0)
    alpha: float = Field(default=6.0, ge=2)
    alpha_weight: float = Field(default=0.1, ge=0)
    beta: float = Field(default=2.0, ge=1)
    tv_weight: float = Field(default=0.1, ge=0)
    jitter: int = Field(default=4, ge=0)
    rate: float = Field(default=0.02, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return 2 * self.steps

    def build(self) -> ActivationMaximization:
        return ActivationMaximization(self)


class ActivationMaximization(Explainer[ActivationMaximizationConfig]):
    """Costs two forward passes and one backward pass per step and image; images are processed one by one."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``. A map is the mean over colors of |image - start|, at the size of the images.

        ``generated`` holds the images, ``notes`` their initial and final scores. Images whose score did not increase are listed
        under ``not_risen``.

        Raises:
            Refused: ``no_gradient`` or ``not_finite``, as ``maximize``.
        """
        check_images(images, target, size)
        config = self.config
        found = maximize(network, target, size, config, images if config.start == "image" else None)
        maps = as_array((found.generated - found.starts).abs().mean(1))
        first, last = found.course[:, 0].tolist(), found.course[:, -1].tolist()
        notes = {
            "start": config.start,
            "scores_before": first,
            "scores_after": last,
            "not_risen": [row for row, (before, after) in enumerate(zip(first, last, strict=True)) if after <= before],
            "shows": "an image that scores high, and where it differs from what it started from; not a map of the image",
        }
        return Attribution(maps, "", shape_of(images), target.words, notes, generated=as_array(found.generated))


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
    size: Size,
    config: ActivationMaximizationConfig,
    starts: Tensor | None = None,
) -> Maximized:
    """Runs the config's steps of gradient ascent and returns one image of ``size`` for each row of ``target``.

    Images are computed one by one; each depends only on its own row. The network is left unchanged.

    Args:
        network: as ``modules.network.Network``
        target: N rows
        size: (H, W), or one number for both
        config: whose ``start`` is not used
        starts: initial images (N, 3, H, W) in [-1, 1]; None: noise, uniform in [-0.1, 0.1]

    Raises:
        Refused: ``no_gradient``: the score does not depend on the image; ``not_finite``: it is NaN or infinite.
    """
    if isinstance(target, Cosine):  # ascent needs the gradient of the score itself, including the norm
        target = replace(target, detach_norm=False)
    weight = next(network.parameters())
    generated, courses, begun = [], [], []
    with torch.inference_mode(False), evaluating(network):
        for row in range(len(target)):
            generator = torch.Generator().manual_seed(config.seed)
            noise = torch.rand((1, 3, *sides(size)), generator=generator, dtype=torch.float64) * 0.2 - 0.1
            start = (noise if starts is None else starts[row : row + 1].detach()).to(weight)
            one = target.take([row]).to(weight.device)  # otherwise the CPU would wait for a GPU at each step
            canvas, course = _ascend(network, one, start.clone(), generator, config)
            begun.append(start)
            generated.append(canvas)
            courses.append(course)
    return Maximized(torch.cat(begun), torch.cat(generated), torch.stack(courses))


def _ascend(
    network: Any, target: Target, canvas: Tensor, generator: torch.Generator, config: ActivationMaximizationConfig
) -> tuple[Tensor, Tensor]:
    """Returns the image (1, 3, H, W) and its course (steps + 1,)."""
    course, seen = [], []
    speed = torch.zeros_like(canvas)
    for _ in range(config.steps):
        with torch.no_grad():
            course.append(target.scores(network, network.embed(canvas))[0])
        moves = torch.randint(-config.jitter, config.jitter + 1, (2,), generator=generator).tolist()
        with torch.enable_grad():
            leaf = torch.roll(canvas, moves, (2, 3)).requires_grad_()
            score = target.scores(network, network.embed(leaf))[0]
            gradient = torch.autograd.grad(score, leaf)[0] if score.requires_grad else torch.zeros_like(leaf)
        scale = gradient.square().mean().sqrt()
        seen.append(torch.stack([course[-1].detach(), score.detach(), scale]))
        if len(seen) == 1:
            _check(seen)
        back = torch.roll(gradient, [-move for move in moves], (2, 3)) / scale
        speed = config.momentum * speed + back - prior_gradient(canvas, config)
        canvas = (canvas + config.rate * (1 - config.momentum) * speed).clamp(-1, 1)
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


def prior_value(canvas: Tensor, config: ActivationMaximizationConfig) -> Tensor:
    """Penalty of the prior for an image (1, 3, H, W): a scalar, summed over pixels and channels."""
    norm = canvas.abs().pow(config.alpha).sum()
    across = canvas[..., :-1, 1:] - canvas[..., :-1, :-1]
    down = canvas[..., 1:, :-1] - canvas[..., :-1, :-1]
    squares = across.square() + down.square()
    # The root has no gradient at 0; constant regions get no penalty.
    variation = torch.where(squares > 0, torch.where(squares > 0, squares, 1).pow(config.beta / 2), 0).sum()
    return config.alpha_weight * norm + config.tv_weight * variation


def prior_gradient(canvas: Tensor, config: ActivationMaximizationConfig) -> Tensor:
    """Gradient of ``prior_value`` with respect to the image."""
    with torch.enable_grad():
        leaf = canvas.detach().clone().requires_grad_()
        return torch.autograd.grad(prior_value(leaf, config), leaf)[0]

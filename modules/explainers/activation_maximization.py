"""Activation maximization (Mahendran and Vedaldi, IJCV 2016): an image that maximizes the score.

The result is an image for the target, not a map of the probe image; see ``modules.attribution.activation_maximization``.
The generated image is returned, and the map shows where it differs from the initial image.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.activation_maximization import Prior, maximize
from modules.attribution.checks import check_images
from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.targets import Target


class ActivationMaximizationConfig(ExplainerConfig):
    """Fields:
    start: ``noise`` around mid-gray, so that the probe image matters only through its target; or the probe ``image``
    steps: number of gradient ascent steps
    seed: of noise and jitter
    alpha, alpha_weight, beta, tv_weight, jitter, rate, momentum: see ``modules.attribution.activation_maximization.Prior``
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

    def build(self) -> ActivationMaximization:
        return ActivationMaximization(self)


class ActivationMaximization(Explainer[ActivationMaximizationConfig]):
    """Costs two forward passes and one backward pass per step and image; images are processed one by one."""

    def explain(self, network: Any, images: Tensor, target: Target, size: int | tuple[int, int]) -> Attribution:
        """See ``Explainer.explain``. A map is the mean over colors of |image - start|, at the size of the images.

        ``generated`` holds the images, ``notes`` their initial and final scores. Images whose score did not increase are listed
        under ``not_risen``.

        Raises:
            Refused: ``no_gradient`` or ``not_finite``, as ``modules.attribution.activation_maximization.maximize``.
        """
        check_images(images, target, size)
        config = self.config
        prior = Prior(
            config.alpha, config.alpha_weight, config.beta, config.tv_weight, config.jitter, config.rate, config.momentum
        )
        starts = images if config.start == "image" else None
        found = maximize(network, target, size, config.steps, config.seed, prior, starts)
        maps = (found.generated - found.starts).abs().mean(1).float().cpu().numpy().astype(np.float32)
        first, last = found.course[:, 0].tolist(), found.course[:, -1].tolist()
        notes = {
            "start": config.start,
            "scores_before": first,
            "scores_after": last,
            "not_risen": [row for row, (before, after) in enumerate(zip(first, last, strict=True)) if after <= before],
            "shows": "an image that scores high, and where it differs from what it started from; not a map of the image",
        }
        shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
        generated = found.generated.float().cpu().numpy().astype(np.float32)
        return Attribution(maps, "", shape, target.words, notes, generated=generated)

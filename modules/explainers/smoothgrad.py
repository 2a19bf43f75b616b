"""SmoothGrad (Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017).

The gradient is averaged over copies of the image with Gaussian noise; the map is then the largest absolute value over the
channels, as for ``gradient``. The standard deviation of the noise is a fraction of the image's range, max(x) - min(x), as in
Section 3.2 of the paper, so a constant image gets no noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.batch_size import batch_of
from modules.attribution.pixel_maps import PixelExplainer, mean_gradient, strongest
from modules.attribution.targets import Target


class SmoothGradConfig(ExplainerConfig):
    """Applies to every network.

    Fields:
        samples: number of noisy copies per image
        noise: standard deviation, as a fraction of the image's range
        seed: of the noise, which is the same for all images, so that a map depends only on its own image
        average: of the signed gradients, as in the paper's equation, or of their absolute values
        batch: copies per forward pass; on a GPU, the default stands for as many as fit. Must divide ``samples``, so that all
            batches have the same shape
    """

    name: Literal["smoothgrad"] = "smoothgrad"
    samples: int = Field(default=50, ge=1)
    noise: float = Field(default=0.15, gt=0)
    seed: int = Field(default=0, ge=0)
    average: Literal["signed", "absolute"] = "signed"
    batch: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _whole_batches(self) -> Self:
        if self.samples % self.batch:
            raise ValueError(f"explainer smoothgrad: samples ({self.samples}) must be a multiple of batch ({self.batch})")
        return self

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.samples

    def build(self) -> SmoothGrad:
        return SmoothGrad(self)


class SmoothGrad(PixelExplainer):
    """Costs ``samples`` forward and backward passes per image. Notes: ``noise``, the standard deviation in input units."""

    def __init__(self, config: SmoothGradConfig) -> None:
        self.config = config
        self._noise: tuple[Any, Tensor] | None = None

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of an image (1, 3, H, W)."""
        config = self.config
        deviation = config.noise * float(image.max() - image.min())
        copies = image + deviation * self.noise(image)
        weights = [1 / config.samples] * config.samples
        batch = batch_of(config, image, config.samples, backward=True, divides=True)
        found = mean_gradient(network, copies, weights, target, batch, config.average == "absolute")
        return strongest(found), {"noise": deviation}

    def noise(self, image: Tensor) -> Tensor:
        """Standard normal noise (samples, 3, H, W) for images like ``image`` (1, 3, H, W); drawn once, as all share it."""
        key = image.shape, image.dtype, image.device
        if self._noise is None or self._noise[0] != key:
            random = np.random.default_rng(self.config.seed)  # NumPy's stream is the same for CPU and CUDA
            drawn = random.standard_normal((self.config.samples, *image.shape[1:]), dtype=np.float32)
            self._noise = key, torch.from_numpy(drawn).to(image)
        return self._noise[1]

"""Class weights for imbalanced training data: fields of a loss, the formulas, and the weighted mean over a batch.

With n_c training images of class c, N = sum of n_c and K classes that have images, the weight of class c is

* ``inverse``: 1 / n_c, scaled so that the mean over all classes is 1
* ``balanced``: N / (K n_c), so the mean over the training images is 1; ``compute_class_weight("balanced")`` of scikit-learn
* ``effective_number``: (1 - beta) / (1 - beta^n_c) (Cui et al., CVPR 2019, Eq. 2), scaled so that the mean over all classes is
  1

A class without training images has weight 0.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.component import Born
from configs.network_interfaces import LossConfig


class ClassWeightedLossConfig(LossConfig):
    """Fields of a classification loss with class weights.

    ``weight_normalization`` is the divisor of the weighted sum over a batch: ``weights`` gives sum(w l) / sum(w) as in torch,
    ``images`` gives sum(w l) / N as in Keras. With ``images``, the scale of the weights acts as a factor on the loss.
    """

    class_weights: Annotated[Literal["none", "inverse", "balanced", "effective_number"], Born("none")] = "none"
    beta: Annotated[float, Born(0.9999)] = Field(default=0.9999, ge=0, lt=1)  # of effective_number
    weight_normalization: Annotated[Literal["weights", "images"], Born("weights")] = "weights"


class ClassWeights(nn.Module):
    """Base class of a loss with class weights; the buffer ``class_weights`` exists only if there are weights, so that the
    ``state_dict`` of other networks is unchanged."""

    class_weights: Tensor

    def __init__(self, classes: int, config: ClassWeightedLossConfig) -> None:
        super().__init__()
        self.config = config
        self._prepared = config.class_weights == "none"
        if not self._prepared:
            self.register_buffer("class_weights", torch.full((classes,), torch.nan))

    def prepare(self, counts: Tensor) -> None:
        """Sets the class weights from the number of training images of each class, int64 (classes,)."""
        if self.config.class_weights == "none":
            return
        self.class_weights.copy_(class_weights(counts, self.config.class_weights, self.config.beta))
        self._prepared = True

    def weights(self, dtype: torch.dtype) -> Tensor | None:
        """The class weights (classes,); None if there are none."""
        if not self._prepared:  # or loaded; checked only once, since the check waits for the GPU
            assert not self.class_weights.isnan().any(), "class weights: prepare(counts) was not called"
            self._prepared = True
        return None if self.config.class_weights == "none" else self.class_weights.to(dtype)


def class_weights(counts: Tensor, formula: str, beta: float) -> Tensor:
    """Class weights (classes,), float64, from the number of training images of each class, (classes,).

    Raises:
        ValueError: no class has an image.
    """
    images = counts.double()
    if not (images > 0).any():
        raise ValueError("class weights need training images, and no class has one")
    shares = 1 - torch.pow(beta, images) if formula == "effective_number" else images
    weights = torch.where(images > 0, 1 / shares, 0)
    if formula == "balanced":
        return weights * images.sum() / (images > 0).sum()
    return weights * len(weights) / weights.sum()

"""LIME (Ribeiro et al., ""Why Should I Trust You?": Explaining the Predictions of Any Classifier", KDD 2016).

The image is segmented into superpixels (SLIC; Achanta et al., TPAMI 2012). Random subsets of them are kept and the others are
painted over. A linear model of the kept superpixels is fitted to the scores, with higher weights for subsets closer to the full
image (equation 1, with the ridge penalty and the kernel of the authors' code). A pixel's value is its superpixel's coefficient.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.batch_size import batch_of
from modules.attribution.checks import check_images
from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.perturbation import AlteredScores, check_probability
from modules.attribution.progress import announced
from modules.attribution.targets import Target
from modules.shape_inference import Size, shape_of


class LIMEConfig(ExplainerConfig):
    """Fields:
    segments: number of superpixels requested from SLIC; the actual number may differ
    compactness: of SLIC: weight of spatial proximity against color similarity
    smoothing: standard deviation in pixels of the Gaussian applied before SLIC, which on noise would find only one superpixel
    samples: number of subsets; the first one keeps everything
    keep: probability that a superpixel is kept
    fill: color of removed superpixels: the mean of the whole image, or of each superpixel, which does not hide a flat one
    kernel_width: sigma of sqrt(exp(-(d / sigma)^2)), d = 1 - cosine of a subset with the full one
    ridge: penalty on the squared coefficients; the intercept is not penalized
    score: ``target`` is the logit or the cosine, ``probability`` the softmax probability of the class
    seed: of the subsets; images with the same number of superpixels get the same subsets
    batch: altered images per forward pass; on a GPU, the default stands for as many as fit
    """

    name: Literal["lime"] = "lime"
    segments: int = Field(default=50, ge=2)
    compactness: float = Field(default=10.0, gt=0)
    smoothing: float = Field(default=1.0, ge=0)
    samples: int = Field(default=1000, ge=2)
    keep: float = Field(default=0.5, gt=0, lt=1)
    fill: Literal["image", "segment"] = "image"
    kernel_width: float = Field(default=0.25, gt=0)
    ridge: float = Field(default=1.0, gt=0)
    score: Literal["target", "probability"] = "target"
    seed: int = Field(default=0, ge=0)
    batch: int = Field(default=32, ge=1)

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return self.samples

    def build(self) -> Lime:
        return Lime(self)


class Lime(Explainer[LIMEConfig]):
    """Costs ``samples`` forward passes per image, in batches of the same shape; images are processed one by one."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``; maps have the size of the images. ``notes`` holds the weighted R^2 of each fit.

        Raises:
            Refused: ``one_segment``: SLIC finds fewer than two superpixels; ``no_probability``: ``score`` is ``probability``
                but the target is not a class; ``not_finite``: the score of an altered image is not finite.
        """
        check_images(images, target, size)
        check_probability(target, self.config.score == "probability")
        config = self.config
        segments = [superpixels(image, config.segments, config.compactness, config.smoothing) for image in images]
        maps, fits = [], []
        with torch.no_grad(), evaluating(network):
            for number, (image, parts) in announced(list(enumerate(zip(images, segments, strict=True)))):
                kept = subsets(self.config.samples, int(parts.max()) + 1, self.config.keep, self.config.seed)
                scores = self.scores(network, image, parts, kept, target.take([number]))
                coefficients, fit = ridge(kept, scores, kernel(kept, self.config.kernel_width), self.config.ridge)
                maps.append(coefficients[parts].astype(np.float32))
                fits.append(fit)
        notes = {
            "superpixels": [int(parts.max()) + 1 for parts in segments],
            "r2": [round(fit, 6) for fit in fits],
            "seed": self.config.seed,
        }
        return Attribution(np.stack(maps), "", shape_of(images), target.words, notes, signed=True)

    def scores(self, network: Any, image: Tensor, parts: np.ndarray, kept: np.ndarray, target: Target) -> np.ndarray:
        """Scores (samples,) float64 of the image (3, H, W) with only the ``kept`` (samples, P) of its P superpixels (H, W)."""
        where = torch.from_numpy(parts).to(image.device)
        filled = painted(image, where, self.config.fill)
        batch = batch_of(self.config, image, len(kept))
        scores_of = AlteredScores(network, target, batch, image.device, self.config.score == "probability")
        chosen = torch.from_numpy(kept).to(image.device)
        scores = torch.cat([scores_of(torch.where(some[:, where][:, None], image, filled)) for some in chosen.split(batch)])
        scores_of.check()
        return scores[:, 0].double().cpu().numpy()


def superpixels(image: Tensor, count: int, compactness: float, smoothing: float) -> np.ndarray:
    """Superpixel labels of an image (3, H, W) in [-1, 1]: int64 (H, W), numbered from 0 without gaps.

    Raises:
        Refused: ``one_segment``: there is only one.
    """
    from skimage.segmentation import slic

    colors = (image.detach().double().cpu().numpy().transpose(1, 2, 0) + 1) / 2
    found = slic(colors, n_segments=count, compactness=compactness, sigma=smoothing, start_label=0, channel_axis=-1)
    _, parts = np.unique(found, return_inverse=True)
    if parts.max() < 1:
        raise Refused("one_segment", f"SLIC makes one superpixel of an image where {count} were asked for; there is no choice")
    return parts.reshape(found.shape).astype(np.int64)


def painted(image: Tensor, parts: Tensor, fill: str) -> Tensor:
    """Fill colors (3, H, W) for an image (3, H, W): its mean, or the mean of each superpixel in ``parts`` (H, W)."""
    if fill == "image":
        return image.mean((1, 2), keepdim=True).expand_as(image)
    count = int(parts.max()) + 1
    sizes = torch.bincount(parts.flatten(), minlength=count)
    one_hot = torch.nn.functional.one_hot(parts.flatten(), count).to(image.dtype)  # scatter is not deterministic
    means = image.flatten(1) @ one_hot / sizes
    return means[:, parts]


def subsets(samples: int, parts: int, keep: float, seed: int) -> np.ndarray:
    """Random subsets, bool (samples, parts), True for kept superpixels; the first row keeps all."""
    kept = np.random.default_rng(seed).random((samples, parts)) < keep
    kept[0] = True
    return kept


def kernel(kept: np.ndarray, width: float) -> np.ndarray:
    """Weights (samples,) of subsets (samples, P) by the cosine distance to the full set; the empty set has distance 1."""
    distance = 1 - np.sqrt(kept.mean(axis=1))  # the cosine of a 0/1 vector with all ones is the root of its fraction of ones
    return np.sqrt(np.exp(-np.square(distance / width)))


def ridge(kept: np.ndarray, scores: np.ndarray, weights: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Coefficients (P,) of the weighted ridge regression with an intercept, and its weighted R^2 (1 if scores are equal)."""
    design = kept.astype(np.float64)
    total = weights.sum()
    centered = design - weights @ design / total
    residual = scores - weights @ scores / total
    normal = centered.T @ (centered * weights[:, None]) + penalty * np.eye(design.shape[1])
    coefficients: np.ndarray = np.linalg.solve(normal, centered.T @ (weights * residual))
    spread = float(weights @ np.square(residual))
    left = float(weights @ np.square(residual - centered @ coefficients))
    return coefficients, 1 - left / spread if spread > 0 else 1.0

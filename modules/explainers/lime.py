"""LIME (Ribeiro et al., ""Why Should I Trust You?": Explaining the Predictions of Any Classifier", KDD 2016).

The image is cut into superpixels (SLIC; Achanta et al., TPAMI 2012). Random subsets of them are kept, the others painted over,
and a linear model of which ones were kept is fitted to the scores, near subsets weighing more (equation 1, with the ridge
penalty and the kernel of the authors' code). A pixel's value is the coefficient of its superpixel.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.checks import check_images
from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.perturbation import check_probability, scores_of
from modules.attribution.targets import Target


class LIMEConfig(ExplainerConfig):
    """Fields:
    segments: how many superpixels SLIC is asked for; it may make some more or fewer
    compactness: of SLIC: how much nearness counts against likeness of colour
    smoothing: standard deviation in pixels of the Gaussian before SLIC, which noise would leave with one superpixel
    samples: subsets; the first one keeps everything
    keep: probability that a superpixel is kept
    fill: what is painted: the mean colour of the whole image, or of each superpixel, which hides no flat one
    kernel_width: sigma of sqrt(exp(-(d / sigma)^2)), d = 1 - cosine of a subset with the full one
    ridge: penalty on the coefficients' squares; none on the intercept
    score: ``target`` is the logit or the cosine, ``probability`` the softmax probability of the class
    seed: of the subsets, which are the same for images with as many superpixels
    batch: altered images per forward pass
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

    def build(self) -> Lime:
        return Lime(self)


class Lime(Explainer):
    """``samples`` forward passes per image, in batches of one shape; images go through one by one."""

    def __init__(self, config: LIMEConfig) -> None:
        self.config = config

    def explain(self, network: Any, images: Tensor, target: Target, size: int | tuple[int, int]) -> Attribution:
        """See ``Explainer.explain``; maps are as large as the images. ``notes`` has each fit's weighted R^2.

        Raises:
            Refused: ``one_segment``: SLIC finds no two superpixels; ``no_probability``: the probability of a target that is of
                no class; ``not_finite``: an altered image has no score.
        """
        check_images(images, target, size)
        check_probability(target, self.config.score == "probability")
        config = self.config
        segments = [superpixels(image, config.segments, config.compactness, config.smoothing) for image in images]
        maps, fits = [], []
        with torch.no_grad(), evaluating(network):
            for number, (image, parts) in enumerate(zip(images, segments, strict=True)):
                kept = subsets(self.config.samples, int(parts.max()) + 1, self.config.keep, self.config.seed)
                scores = self.scores(network, image, parts, kept, target.take([number]))
                coefficients, fit = ridge(kept, scores, kernel(kept, self.config.kernel_width), self.config.ridge)
                maps.append(coefficients[parts].astype(np.float32))
                fits.append(fit)
        shape = (int(images.shape[1]), int(images.shape[2]), int(images.shape[3]))
        notes = {
            "superpixels": [int(parts.max()) + 1 for parts in segments],
            "r2": [round(fit, 6) for fit in fits],
            "seed": self.config.seed,
        }
        return Attribution(np.stack(maps), "", shape, target.words, notes, signed=True)

    def scores(self, network: Any, image: Tensor, parts: np.ndarray, kept: np.ndarray, target: Target) -> np.ndarray:
        """Scores (samples,) float64 of the image (3, H, W) with only the ``kept`` (samples, P) of its superpixels (H, W)."""
        where = torch.from_numpy(parts).to(image.device)
        filled = painted(image, where, self.config.fill)
        found = []
        for start in range(0, len(kept), self.config.batch):
            shown = torch.from_numpy(kept[start : start + self.config.batch]).to(image.device)[:, where][:, None]
            altered = torch.where(shown, image, filled)
            found.append(scores_of(network, altered, target, self.config.batch, self.config.score == "probability")[:, 0])
        return torch.cat(found).double().cpu().numpy()


def superpixels(image: Tensor, count: int, compactness: float, smoothing: float) -> np.ndarray:
    """Superpixels of an image (3, H, W) in [-1, 1]: int64 (H, W), numbered from 0 without gaps.

    Raises:
        Refused: ``one_segment``: there is only one.
    """
    from skimage.segmentation import slic

    colours = (image.detach().double().cpu().numpy().transpose(1, 2, 0) + 1) / 2
    found = slic(colours, n_segments=count, compactness=compactness, sigma=smoothing, start_label=0, channel_axis=-1)
    _, parts = np.unique(found, return_inverse=True)
    if parts.max() < 1:
        raise Refused("one_segment", f"SLIC makes one superpixel of an image where {count} were asked for; there is no choice")
    return parts.reshape(found.shape).astype(np.int64)


def painted(image: Tensor, parts: Tensor, fill: str) -> Tensor:
    """The colours (3, H, W) that hide an image (3, H, W): its mean, or the mean of each of its ``parts`` (H, W)."""
    if fill == "image":
        return image.mean((1, 2), keepdim=True).expand_as(image)
    count = int(parts.max()) + 1
    sizes = torch.bincount(parts.flatten(), minlength=count)
    one_hot = torch.nn.functional.one_hot(parts.flatten(), count).to(image.dtype)  # no scatter: its order of sums may vary
    means = image.flatten(1) @ one_hot / sizes
    return means[:, parts]


def subsets(samples: int, parts: int, keep: float, seed: int) -> np.ndarray:
    """bool (samples, parts): which superpixels are kept; the first row keeps all."""
    kept = np.random.default_rng(seed).random((samples, parts)) < keep
    kept[0] = True
    return kept


def kernel(kept: np.ndarray, width: float) -> np.ndarray:
    """Weights (samples,) of subsets (samples, P) by the cosine distance to the full one; it is 1 from the empty one."""
    distance = 1 - np.sqrt(kept.mean(axis=1))  # the cosine of a 0/1 vector with all ones is the root of its share of ones
    return np.sqrt(np.exp(-np.square(distance / width)))


def ridge(kept: np.ndarray, scores: np.ndarray, weights: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    """Coefficients (P,) of the weighted ridge regression with an intercept, and its weighted R^2 (1 where scores are equal)."""
    design = kept.astype(np.float64)
    total = weights.sum()
    centred = design - weights @ design / total
    residual = scores - weights @ scores / total
    normal = centred.T @ (centred * weights[:, None]) + penalty * np.eye(design.shape[1])
    coefficients: np.ndarray = np.linalg.solve(normal, centred.T @ (weights * residual))
    spread = float(weights @ np.square(residual))
    left = float(weights @ np.square(residual - centred @ coefficients))
    return coefficients, 1 - left / spread if spread > 0 else 1.0

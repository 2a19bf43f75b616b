"""Base of explainers whose maps are computed from the score's gradient with respect to the pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from modules.attribution.checks import check_images, check_scores, scores_of, stacked
from modules.attribution.explainer import Attribution, Config, Explainer
from modules.attribution.hooks import evaluating
from modules.attribution.progress import announced
from modules.attribution.targets import Target
from modules.shape_inference import Size, shape_of


class PixelExplainer(Explainer[Config]):
    """Base class of explainers whose maps have the resolution of the image, (height, width).

    Images are processed one by one, so that a map does not depend on other images, not even in its last bit.
    """

    signed = False

    def prepared(self, network: Any, image: Tensor, target: Target) -> Any:
        """The network to run: ``network`` itself, or a copy prepared for this method; raises Refused if it does not apply."""
        return network

    def map_of(self, network: Any, image: Tensor, target: Target) -> tuple[Tensor, Mapping[str, float]]:
        """Map (H, W) of one image (1, 3, H, W), and numbers for the notes, with the same keys for each image."""
        raise NotImplementedError

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``. Notes: ``empty_maps``, indices of the images whose map is zero everywhere."""
        check_images(images, target, size)
        maps: list[Tensor] = []
        about: list[Mapping[str, float]] = []
        with torch.inference_mode(False), torch.no_grad(), evaluating(network):
            prepared = self.prepared(network, images[:1], target.take([0]))
            for number, image in announced(list(enumerate(images))):
                one, numbers = self.map_of(prepared, image[None], target.take([number]).to(image.device))
                maps.append(one)
                about.append(numbers)
        found, empty = stacked(maps)
        notes: dict[str, Any] = {"empty_maps": empty}
        notes |= {key: [numbers[key] for numbers in about] for key in about[0]}
        return Attribution(found, "", shape_of(images), target.words, notes, self.signed)


def gradients(network: Any, images: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """Scores (N,) of images (N, 3, H, W), and the gradient of each score with respect to its image, (N, 3, H, W).

    Raises:
        Refused: code ``not_finite``: a score is NaN or infinite.
    """
    scores, embeddings, found = unchecked_gradients(network, images, target)
    check_scores(scores, embeddings, target)
    return scores, found


def unchecked_gradients(network: Any, images: Tensor, target: Target) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (N,), embeddings (N, D) and gradients (N, 3, H, W), any of which may be NaN: see ``check_scores``."""
    with torch.enable_grad():
        leaf = images.detach().clone().requires_grad_()
        embeddings = network.embed(leaf.clone())  # a leaf must not be modified in place
        scores = scores_of(network, embeddings, target)
        (found,) = torch.autograd.grad(scores.sum(), leaf)
    return scores.detach(), embeddings.detach(), found


def mean_gradient(
    network: Any, images: Tensor, weights: Sequence[float], target: Target, batch: int, absolute: bool = False
) -> Tensor:
    """Weighted sum of gradients, (3, H, W), float64, over variants (N, 3, H, W) of one image that share one target.

    ``absolute``: sums the gradients' absolute values instead.

    ``batch`` variants are processed at a time; their number must be a multiple of it, so every batch has the same shape.
    captum's ``IntegratedGradients`` and ``NoiseTunnel`` sum in float32, and their last bits depend on the batch.

    Raises:
        Refused: code ``not_finite``: a score is NaN or infinite.
    """
    assert len(images) == len(weights) > 0, (len(images), len(weights))
    assert len(images) % batch == 0, (len(images), batch)
    repeated = target.take([0] * batch).to(images.device)
    factors = torch.tensor(weights, dtype=torch.float64, device=images.device)
    total = torch.zeros(images[0].shape, dtype=torch.float64, device=images.device)
    seen = []
    for some, share in zip(images.split(batch), factors.split(batch), strict=True):
        *scored, found = unchecked_gradients(network, some, repeated)
        seen.append(scored)
        for one in share[:, None, None, None] * (found.abs() if absolute else found).double():
            total += one  # one by one, so that the sum does not depend on the batch
    scores, embeddings = (torch.cat(parts) for parts in zip(*seen, strict=True))
    check_scores(scores, embeddings, target)
    return total


def strongest(gradient: Tensor) -> Tensor:
    """Largest absolute value over the channels, (3, H, W) to (H, W) (Simonyan et al., ICLR workshop 2014, Section 3.1)."""
    return gradient.abs().amax(0)

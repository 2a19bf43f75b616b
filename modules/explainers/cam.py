"""CAM (Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016).

If the score is an affine function of globally averaged features, y = b + sum_k w_k mean(A_k), equation 2 gives the map
M = sum_k w_k A_k. Its mean over all locations plus b is the score, so the map shows how much each location contributes. Batch
normalization, dropout and any number of linear layers between the average and the score are handled exactly: w_k is the score's
derivative with respect to mean(A_k). The bias b, which belongs to no location, is reported separately (``biases``). Where it
applies, CAM is Grad-CAM at the last layer without its ReLU, times the number of locations.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from configs.explainers import ExplainerConfig
from modules.attribution.checks import check_gradient, check_images, finite_scores, stacked
from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.graph import between, nonlinear
from modules.attribution.hooks import evaluating
from modules.attribution.targets import Target
from modules.shape_inference import Size, shape_of


class CAMConfig(ExplainerConfig):
    """Has no ``layer`` option: CAM always uses the backbone's last feature map."""

    name: Literal["cam"] = "cam"

    def build(self) -> CAM:
        return CAM()


class CAM(Explainer):
    """Applies to the head ``gap_bn`` with the loss ``softmax``, and to any other score that is linear in averaged features.

    The cosine with the embedding's norm held constant is such a score too; then b is the contribution of the head's biases.
    """

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``. Notes: ``scores`` and ``biases`` of each image; mean(map) + bias = score.

        Raises:
            Refused: code ``not_linear_head``: an operation is not linear (the message lists them), or the head weights
                locations differently. Code ``layer_too_coarse``: the feature map is 1 x 1. Code ``not_finite``.
        """
        check_images(images, target, size)
        maps, scores = [], []
        shape = (0, 0, 0)
        with torch.inference_mode(False), torch.no_grad(), evaluating(network):
            for number, image in enumerate(images):
                leaf = network.features(image[None].clone()).detach().clone().requires_grad_()
                shape = shape_of(leaf)
                if shape[1:] == (1, 1):
                    raise Refused("layer_too_coarse", "the feature map is 1x1 at this input size: it has one place only")
                one, score = _map(network, leaf, target.take([number]))
                maps.append(one)
                scores.append(score)
        found, empty = stacked(maps)
        biases = [score - float(one.double().mean()) for score, one in zip(scores, maps, strict=True)]
        notes = {"empty_maps": empty, "scores": scores, "biases": biases}
        return Attribution(found, list(network.backbone.stages())[-1], shape, target.words, notes, signed=True)


@torch.enable_grad()
def _map(network: Any, leaf: Tensor, target: Target) -> tuple[Tensor, float]:
    """Map (h, w) and score of features (1, channels, h, w), which must require gradients."""
    score = finite_scores(network, network.head(leaf.clone()), target)[0]
    if odd := nonlinear(between(score, leaf)):
        raise Refused(
            "not_linear_head", f"the score is no linear function of the pooled features: it goes through {', '.join(odd)}"
        )
    (gradient,) = torch.autograd.grad(score, leaf)
    check_gradient(gradient, target)
    first = gradient[0, :, :1, :1]
    if not torch.allclose(gradient[0], first.expand_as(gradient[0]), rtol=1e-5, atol=0):
        raise Refused("not_linear_head", "the head weighs places differently: it does not begin with a global average")
    with torch.no_grad():
        weights = gradient[0].sum(dim=(1, 2))
        return (weights[:, None, None] * leaf[0]).sum(0), float(score)

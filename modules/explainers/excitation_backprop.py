"""Excitation backpropagation (Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 126, 2018).

A probability is passed down from the score. Equation 1: a neuron passes its probability to those below it in proportion to
response times weight, over positive weights only. The map is the sum over the channels of a layer's marginal winning
probabilities (MWP). ``modules.attribution.excitation`` has the rules of single operations.

What follows the backbone's feature map counts as one linear function: its weights are the score's derivatives at the map, which
are exact for averages, batch normalization and linear layers. In the contrastive form (Section 3.3) the probabilities of
the dual score, with negated weights, are subtracted, and what is below 0 after the sum over channels is cut off.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from modules.attribution.checks import check_gradient, check_images, finite_scores, stacked
from modules.attribution.excitation import check_rules, excitation
from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.layer_maps import LayerConfig
from modules.attribution.target_layer import choose_stage
from modules.attribution.targets import Target
from modules.shape_inference import Size


class ExcitationBackpropConfig(LayerConfig):
    """``contrastive``: subtract the probabilities of the dual score. ``layer``: see ``LayerConfig``; the paper takes layers in
    the middle of the network."""

    name: Literal["excitation_backprop"] = "excitation_backprop"
    contrastive: bool = False

    def build(self) -> ExcitationBackprop:
        return ExcitationBackprop(self)


class ExcitationBackprop(Explainer[ExcitationBackpropConfig]):
    """Costs one forward pass per image and one more to find the layer, and as much as one backward pass (two if contrastive)
    down to the layer."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``. A map without ``contrastive`` sums to 1, less what ends in neurons without any positive
        input.

        Raises:
            Refused: code ``not_relu``: between layer and feature map there is an operation without a rule (the message lists
                them); ``layer_too_coarse``, ``no_such_layer``; ``not_finite``.
        """
        check_images(images, target, size)
        maps = []
        with torch.inference_mode(False), evaluating(network):
            layer, shape = choose_stage(self.config.name, network, images[:1].clone(), self.config.layer, self.config.min_side)
            module = {layer: network.backbone.stages()[layer]}
            for number, image in enumerate(images):
                maps.append(self._map(network, image[None], target.take([number]), module))
        found, empty = stacked(maps)
        return Attribution(found, layer, shape, target.words, {"empty_maps": empty})

    def _map(self, network: Any, image: Tensor, target: Target, module: dict[str, torch.nn.Module]) -> Tensor:
        """(h, w) of an image (1, 3, H, W)."""
        leaves: list[Tensor] = []

        def cut(name: str, output: Tensor) -> Tensor:
            torch.set_grad_enabled(True)
            leaves.append(output.detach().clone().requires_grad_())
            return leaves[-1].clone()

        with torch.no_grad(), hooked(module, cut), excitation():  # no_grad also ends what ``cut`` switches on
            features = network.features(image.clone())
        (leaf,) = leaves
        with torch.enable_grad():
            top = features.detach().clone().requires_grad_()
            score = finite_scores(network, network.head(top.clone()), target)[0]
            (weights,) = torch.autograd.grad(score, top)
        check_gradient(weights, target)
        check_rules(features, leaf)
        signs = (1, -1) if self.config.contrastive else (1,)
        passed = [
            sign * torch.autograd.grad(features, leaf, _share(top.detach(), sign * weights), retain_graph=True)[0][0]
            for sign in signs
        ]
        return torch.relu(torch.stack(passed).sum((0, 1)))


def _share(responses: Tensor, weights: Tensor) -> Tensor:
    """Equation 1 of the score: response times weight where both are positive, over their sum; 0 if there are none."""
    parts = responses.clamp(min=0) * weights.clamp(min=0)
    total = parts.sum()
    return parts / total if total > 0 else parts

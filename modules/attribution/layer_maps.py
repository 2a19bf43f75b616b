"""Base of Grad-CAM and its variants: maps computed from a layer's output and the score's gradient with respect to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from configs.explainers import ExplainerConfig
from modules.attribution.checks import check_gradient, check_images, finite_scores, stacked
from modules.attribution.explainer import Attribution, Explainer
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.target_layer import stages_of, too_coarse
from modules.attribution.targets import Target
from modules.shape_inference import Shape, Size, shape_of


class LayerConfig(ExplainerConfig):
    """``layer``: a stage of the backbone; None: the deepest one whose output is at least ``min_side`` x ``min_side``."""

    layer: str | None = None
    min_side: int = Field(default=4, ge=1)


class LayerExplainer(Explainer[LayerConfig]):
    """Costs one forward pass per image, and one backward pass through the modules above the layer.

    Images are processed one by one, so that a map does not depend on other images, not even in its last bit.
    """

    def map_of(self, activation: Tensor, gradient: Tensor) -> Tensor:
        """Raw map (h, w) from a layer's output and the score's gradient with respect to it, both (channels, h, w)."""
        raise NotImplementedError

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``.

        Raises:
            Refused: code ``layer_too_coarse``: no stage's output is large enough; lists the shapes. Code ``not_finite``.
            Refused: ``no_such_layer``: ``layer`` is not a stage of this backbone; lists the stages.
        """
        check_images(images, target, size)
        layer = self.config.layer
        stages, side = stages_of(self.config.name, network, layer), self.config.min_side if layer is None else 1
        maps = []
        shape: Shape = (0, 0, 0)
        with torch.inference_mode(False), evaluating(network):
            for number, image in enumerate(images):
                layer, activation, gradient = at_layer(network, stages, image[None], target.take([number]), side)
                stages, side = {layer: stages[layer]}, 1  # all images have the same size
                shape = shape_of(activation)
                maps.append(self.map_of(activation, gradient))
        assert layer is not None
        found, empty = stacked(maps)
        return Attribution(found, layer, shape, target.words, {"empty_maps": empty})


def at_layer(
    network: Any, stages: Mapping[str, nn.Module], image: Tensor, target: Target, min_side: int = 1
) -> tuple[str, Tensor, Tensor]:
    """The deepest stage whose output is at least ``min_side`` x ``min_side``, its output, and the score's gradient.

    Args:
        network: in evaluation mode
        stages: candidates, shallow to deep
        image: (1, 3, H, W)
        target: of one row

    Returns:
        name, (channels, h, w), (channels, h, w)

    Raises:
        Refused: codes ``layer_too_coarse`` and ``not_finite``.
    """
    places = {name: place for place, name in enumerate(stages)}
    shapes: dict[str, Shape] = {}
    cuts: list[tuple[str, Tensor]] = []  # the last one counts

    def cut(name: str, output: Tensor) -> Tensor | None:
        assert output.ndim == 4, f"stage {name} gives {tuple(output.shape)}, not (N, channels, h, w)"
        assert name not in shapes, f"stage {name} ran twice in one forward pass"
        shapes[name] = shape_of(output)
        if min(output.shape[2:]) < min_side or (cuts and places[name] < places[cuts[-1][0]]):
            return None
        # The graph starts at this layer: nothing below it is kept, and the backward pass ends here. The copy is safe from
        # later in-place operations.
        torch.set_grad_enabled(True)
        cuts.append((name, output.detach().clone().requires_grad_()))
        return cuts[-1][1].clone()

    with torch.no_grad(), hooked(stages, cut):  # which also ends what ``cut`` switches on
        embedding = network.embed(image.clone())  # the network may begin with an in-place operation
        if not cuts:
            raise too_coarse(shapes, min_side)
        name, leaf = cuts[-1]
        (gradient,) = torch.autograd.grad(finite_scores(network, embedding, target)[0], leaf)
    check_gradient(gradient, target)
    return name, leaf.detach()[0], gradient[0]


def weighted(activation: Tensor, weights: Tensor) -> Tensor:
    """ReLU(sum_k w_k A_k): (channels, h, w) and (channels,) to (h, w)."""
    return torch.relu((weights[:, None, None] * activation).sum(0))

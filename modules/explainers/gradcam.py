"""Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017).

For a class score y and the feature maps A_k of a layer, equation 1 gives the weights a_k = mean over positions of dy/dA_k, and
equation 2 the map ReLU(sum_k a_k A_k). The score is the logit, before any softmax. The raw map is returned, at the resolution
of the layer: neither enlarged nor scaled.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from configs.kinds import ExplainerConfig
from modules.explainer import Attribution, Explainer, Refused
from modules.targets import Target
from modules.watching import evaluating, hooked

Shape = tuple[int, int, int]


class Config(ExplainerConfig):
    """``layer`` is a stage of the backbone; None: the deepest one whose output is at least ``min_side`` x ``min_side``."""

    name: Literal["gradcam"] = "gradcam"
    layer: str | None = None
    min_side: int = Field(default=4, ge=1)

    def build(self) -> GradCAM:
        return GradCAM(self)


class GradCAM(Explainer):
    """One forward pass, and one backward pass of what lies above the layer, per image.

    Images go through one by one, so that a map cannot depend on the others, not even in its last bit.
    """

    def __init__(self, config: Config) -> None:
        self.config = config

    def explain(self, network: Any, images: Tensor, target: Target, size: int | tuple[int, int]) -> Attribution:
        """See ``Explainer.explain``.

        Raises:
            Refused: code ``layer_too_coarse``: no stage's output is large enough; names the shapes.
            ValueError: ``layer`` is no stage of this backbone; names the stages.
        """
        assert images.ndim == 4, images.shape
        assert tuple(images.shape[2:]) == ((size, size) if isinstance(size, int) else size), (images.shape, size)
        assert len(images) == len(target) > 0, (len(images), len(target))
        stages: dict[str, nn.Module] = network.backbone.stages()
        with torch.inference_mode(False), evaluating(network):
            shapes = stage_shapes(network, stages, images[:1])
            layer = self.choose(shapes)
            maps = [gradcam(network, stages[layer], image[None], target.take([number])) for number, image in enumerate(images)]
        stacked = torch.stack(maps).float().cpu().numpy().astype(np.float32)
        empty = [index for index, one in enumerate(stacked) if not one.any()]
        return Attribution(stacked, layer, shapes[layer], target.words, {"empty_maps": empty})

    def choose(self, shapes: dict[str, Shape]) -> str:
        """The stage to look at, of stages with these output shapes (channels, h, w), shallow to deep."""
        if self.config.layer is not None:
            if self.config.layer not in shapes:
                raise ValueError(f"explainer gradcam: layer {self.config.layer!r} is no stage (known: {', '.join(shapes)})")
            return self.config.layer
        for name, (_, height, width) in reversed(shapes.items()):
            if min(height, width) >= self.config.min_side:
                return name
        found = ", ".join(f"{name} {height}x{width}" for name, (_, height, width) in shapes.items())
        side = self.config.min_side
        raise Refused("layer_too_coarse", f"no stage gives a map of at least {side}x{side} at this input size (found: {found})")


def stage_shapes(network: Any, stages: dict[str, nn.Module], image: Tensor) -> dict[str, Shape]:
    """(channels, h, w) of each stage's output for one image (1, 3, H, W), in the order of ``stages``."""
    shapes: dict[str, Shape] = {}

    def see(name: str, output: Tensor) -> None:
        assert output.ndim == 4, f"stage {name} gives {tuple(output.shape)}, not (N, channels, h, w)"
        shapes[name] = (output.shape[1], output.shape[2], output.shape[3])

    with torch.no_grad(), hooked(stages, see):
        network.embed(image)
    return {name: shapes[name] for name in stages}


def gradcam(network: Any, layer: nn.Module, image: Tensor, target: Target) -> Tensor:
    """The raw map (h, w) of one image (1, 3, H, W), network in evaluation mode; equations 1 and 2 of the paper."""
    leaves: list[Tensor] = []

    def cut(name: str, output: Tensor) -> Tensor:
        # The graph starts anew here: the backward pass ends at the layer. The copy lets later in-place operations be.
        leaves.append(output.detach().clone().requires_grad_())
        return leaves[-1].clone()

    with torch.enable_grad(), hooked({"": layer}, cut):
        score = target.scores(network, network.embed(image))
        assert len(leaves) == 1, f"the layer ran {len(leaves)} times in one forward pass"
        (gradient,) = torch.autograd.grad(score[0], leaves[0])
    activation = leaves[0].detach()[0]
    weights = gradient[0].mean(dim=(1, 2))
    return torch.relu((weights[:, None, None] * activation).sum(0))

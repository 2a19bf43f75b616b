"""The attention map of an attention branch network (Fukui et al., CVPR 2019; Ito et al., 2021), part of its forward pass."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor

from configs.component import Born
from configs.explainers import ExplainerConfig
from modules.attribution.checks import as_array, check_images
from modules.attribution.explainer import Attribution, Explainer, Refused
from modules.attribution.hooks import evaluating, hooked
from modules.attribution.targets import Target
from modules.backbones.abn import AttentionBranchNetwork
from modules.shape_inference import Size


class ABNAttentionConfig(ExplainerConfig):
    """For backbone ``abn`` only. The map has no target, so it cannot explain what makes two images differ."""

    name: Literal["abn_attention"] = "abn_attention"
    pair_target: Annotated[Literal["cosine", "top_class"], Born("cosine")] = "cosine"

    def build(self) -> AbnAttention:
        return AbnAttention()


class AbnAttention(Explainer):
    """Costs one forward pass of the backbone per image. The map is a sigmoid, in (0, 1), and the same for every target."""

    def explain(self, network: Any, images: Tensor, target: Target, size: Size) -> Attribution:
        """See ``Explainer.explain``.

        Raises:
            Refused: ``no_attention``: the backbone has no attention branch.
        """
        check_images(images, target, size)
        backbone = network.backbone
        if not isinstance(backbone, AttentionBranchNetwork):
            raise Refused("no_attention", f"the backbone ({type(backbone).__name__}) has no attention branch; backbone abn has")
        seen: list[Tensor] = []
        with (
            torch.no_grad(),
            evaluating(network),
            hooked({"attention": backbone.attention}, lambda name, output: seen.append(output.detach().clone())),
        ):
            for image in images:
                backbone(image[None])
        maps = as_array(torch.cat(seen)[:, 0])
        words = "none: the network's own attention, whatever is asked"
        return Attribution(maps, "attention", (1, maps.shape[1], maps.shape[2]), words, {"target_ignored": True})

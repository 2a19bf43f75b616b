"""EdgeFace (George et al., "EdgeFace: Efficient Face Recognition Model for Edge Devices", IEEE T-BIOM 2024, arXiv 2307.01838).

EdgeNeXt (Maaz et al., ECCV Workshops 2022), whose blocks have depthwise convolutions and attention between channels, with
linear layers of low rank. With the head ``gap_ln`` of the same ``gamma``, at 112 x 112:

* EdgeFace-XS(0.6) is ``variant: xs, gamma: 0.6``: 1,770,492 parameters, published 1.77 million, and 153.8 million operations,
  published 154.00;
* EdgeFace-S(0.5) is ``variant: s, gamma: 0.5``: 3,652,520 parameters, published 3.65 million, and 305.8 million operations,
  published 306.12.

The published operations were counted by another tool. The networks are timm's; the low rank comprises the linear layer of the
head, as in the authors' code.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.network_interfaces import BackboneConfig
from modules.layers.low_rank import lowered
from modules.layers.timm_backbone import TimmBackbone, create, remove

MODELS = {"xxs": "edgenext_xx_small", "xs": "edgenext_x_small", "s": "edgenext_small", "base": "edgenext_base"}


class EdgeFaceConfig(BackboneConfig):
    """Stride 32: the map is 3 x 3 at 112 x 112. The head follows the last stage.

    Explainers that need ReLU (guided backpropagation, Deconvnet) do not apply: it has GELU and softmax.

    Fields:
        variant: of EdgeNeXt: ``xxs``, ``xs``, ``s`` or ``base``
        gamma: rank of a linear layer as a share of its smaller side; None: linear layers of full rank
    """

    name: Literal["edgeface"] = "edgeface"
    variant: Literal["xxs", "xs", "s", "base"] = "xs"
    gamma: float | None = Field(default=0.6, gt=0, le=1)

    def build(self) -> TimmBackbone:
        """EdgeNeXt up to its feature map; stages are timm's."""
        body = create(MODELS[self.variant])
        remove(body, ["head"])
        if self.gamma is not None:
            lowered(body, self.gamma)
        stages = [f"stages.{stage}" for stage in range(len(body.stages))]
        return TimmBackbone(body, body.num_features, stages)

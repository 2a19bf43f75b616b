"""Vision transformers for faces, as in arcface_torch of InsightFace (An et al., "Killing Two Birds with One Stone", CVPR 2022).

Patches of 9 pixels at 112 x 112 give 144 tokens; there is no class token. Tokens are normalized before attention and
perceptron, which has ReLU6; queries, keys and values have no bias. The embedding is computed from all tokens: head ``tokens``.
Sizes, and the number of multiply-adds with that head:

=================  =====  ======  =====  =====  =====  ========================================
variant            width  blocks  heads  ratio  patch  multiply-adds, and those published
=================  =====  ======  =====  =====  =====  ========================================
``tiny``             256      12      8      4      9  1.51 G (1.5)
``small``            512      12      8      4      9  5.75 G (5.7)
``base``             512      24      8      4      9  11.44 G (11.4)
``large``            768      24      8      4      9  25.34 G (25.3)
``cvlface_small``    512      12      8      5      8  as configured in CVLFace (196 tokens)
``cvlface_base``     512      24     16      3      8  as configured in CVLFace (196 tokens)
=================  =====  ======  =====  =====  =====  ========================================

The public code draws 10 % of the tokens to leave out in training whatever positive ratio it is configured with; here the ratio
is the field ``masking``.
"""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from configs.network_interfaces import BackboneConfig
from modules.layers.vit import Block, PatchEmbedding, Positions, TokenMask, TokenNorm, map_of, tokens_of

VARIANTS = {  # width, blocks, heads, ratio of the perceptron's width, patch in pixels
    "tiny": (256, 12, 8, 4, 9),
    "small": (512, 12, 8, 4, 9),
    "base": (512, 24, 8, 4, 9),
    "large": (768, 24, 8, 4, 9),
    "cvlface_small": (512, 12, 8, 5, 8),
    "cvlface_base": (512, 24, 16, 3, 8),
}


class FaceViTConfig(BackboneConfig):
    """Designed for 112 x 112: the map is 512 x 12 x 12 (``small`` and ``base``), one location for each token.

    Explainers that need ReLU (guided backpropagation, Deconvnet) do not apply: it has ReLU6 and softmax.

    Fields:
        variant: the size, see the table in the module
        size: height and width of the images in pixels; must be the cell's input size, because each place has its own vector
        masking: share of the tokens that are left out in training, see ``TokenMask``; arcface_torch has 0.1 for ``tiny`` to
            ``base``, and 0 to 0.05 for its trainings on WebFace42M
        drop_path: probability that an image skips a branch of the last block in training, falling linearly to 0 at the first
    """

    name: Literal["face_vit"] = "face_vit"
    variant: Literal["tiny", "small", "base", "large", "cvlface_small", "cvlface_base"] = "small"
    size: int = Field(default=112, ge=1)
    masking: float = Field(default=0.1, ge=0, lt=1)
    drop_path: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _a_token_remains(self) -> Self:
        patch = VARIANTS[self.variant][-1]
        if self.size < patch:
            raise ValueError(f"size {self.size} holds no patch of {patch} pixels; the smallest is {patch}")
        if int((self.size // patch) ** 2 * (1 - self.masking)) < 1:
            raise ValueError(f"masking {self.masking} leaves none of the {(self.size // patch) ** 2} tokens; lower it")
        return self

    def build(self) -> FaceViT:
        return FaceViT(self)


class FaceViT(nn.Module):
    """Patches, positions, blocks, and a layer normalization."""

    def __init__(self, config: FaceViTConfig) -> None:
        super().__init__()
        width, depth, heads, ratio, patch = VARIANTS[config.variant]
        self.channels, self.size = width, config.size
        self.patch_embed = PatchEmbedding(width, patch)
        self.positions = Positions((config.size // patch) ** 2, width)
        rates = torch.linspace(0, config.drop_path, depth, device="cpu").tolist()
        self.blocks = nn.ModuleList(Block(width, heads, ratio * width, rate) for rate in rates)
        self.norm = TokenNorm(width)
        self.mask = TokenMask(config.masking, width) if config.masking > 0 else None
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def stages(self) -> dict[str, nn.Module]:
        """patch_embed, the last block of each quarter, and norm, which is the feature map; all have one location per token."""
        depth = len(self.blocks)
        ends = [f"blocks.{quarter * depth // 4 - 1}" for quarter in (1, 2, 3, 4)]
        return {name: self.get_submodule(name) for name in ("patch_embed", *ends, "norm")}

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, size, size) RGB in [-1, 1] to (N, channels, size // patch, size // patch).

        Raises:
            ValueError: the images have another size.
        """
        if tuple(images.shape[2:]) != (self.size, self.size):
            raise ValueError(
                f"it has positions for {self.size} x {self.size} pixels only, found {images.shape[2]} x {images.shape[3]}; "
                "set backbone.size"
            )
        features = self.positions(self.patch_embed(images))
        if self.mask is None or not self.training:
            return self._through(features)
        height, width = features.shape[2:]
        kept, places = self.mask.drop(tokens_of(features))
        return map_of(self.mask.restore(self._through(kept), places, height * width), height, width)

    def _through(self, features: Tensor) -> Tensor:
        for block in self.blocks:
            features = block(features)
        return self.norm(features)

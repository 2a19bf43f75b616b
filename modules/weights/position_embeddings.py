"""Position embeddings of published transformers, for images of another size."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor

_NAME = "pos_embed"


def resampled(state: Mapping[str, Tensor], grid: tuple[int, int], others: int) -> dict[str, Tensor]:
    """The weights of a timm transformer with its position embeddings (1, L, C) at another grid of patches.

    Those of a square grid are resampled bicubically with antialiasing, as timm does. Weights without such embeddings, or whose
    patches are no square, are unchanged, so that their shapes are compared as they are.

    Args:
        state: under timm's names
        grid: height and width in patches
        others: number of embeddings before those of the patches, such as that of the class token; they are kept
    """
    from timm.layers import resample_abs_pos_embed

    found = state.get(_NAME)
    if found is None or found.ndim != 3 or math.isqrt(found.shape[1] - others) ** 2 != found.shape[1] - others:
        return dict(state)
    return {**state, _NAME: resample_abs_pos_embed(found, list(grid), num_prefix_tokens=others)}

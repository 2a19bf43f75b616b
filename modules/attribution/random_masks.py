"""Random smooth masks (Petsiuk et al., "RISE: Randomized Input Sampling for Explanation", BMVC 2018, Section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def mask_blocks(
    count: int, cells: int, keep: float, size: tuple[int, int], seed: int, batch: int, device: torch.device | str = "cpu"
) -> Iterator[Tensor]:
    """Yields ``count`` masks (B, 1, H, W), float32 in [0, 1], at most ``batch`` at a time; independent of device and batch.

    A grid of ``cells`` x ``cells`` ones and zeros, one with probability ``keep``, is upsampled bilinearly to one cell more than
    the image in each direction and cropped at a random offset. A cell has ceil(H / cells) x ceil(W / cells) pixels.

    Args:
        count: N, the number of masks
        cells: cells along each side
        keep: probability of a one
        size: (H, W)
        seed: of the grids and the offsets
        batch: masks per yielded block
        device: where the masks are made; the grids and offsets are always drawn on the CPU
    """
    generator = np.random.default_rng(seed)
    high, wide = -(-size[0] // cells), -(-size[1] // cells)
    grids = torch.from_numpy((generator.random((count, 1, cells, cells)) < keep).astype(np.float32)).to(device)
    tops, lefts = (torch.from_numpy(generator.integers(0, side, count)).to(device) for side in (high, wide))
    rows, columns = (torch.arange(side, device=device) for side in size)
    for start in range(0, count, batch):
        enlarged = functional.interpolate(
            grids[start : start + batch], size=((cells + 1) * high, (cells + 1) * wide), mode="bilinear", align_corners=False
        )
        place = torch.arange(len(enlarged), device=device)[:, None]
        cut = enlarged[place, 0, tops[start : start + batch, None] + rows]  # (B, H, width of the enlarged grid)
        across = (lefts[start : start + batch, None] + columns)[:, None].expand(-1, size[0], -1)
        yield cut.gather(2, across)[:, None].clamp(0, 1)  # rounding in the interpolation may exceed [0, 1]

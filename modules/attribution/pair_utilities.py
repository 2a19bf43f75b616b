"""What explainers of pairs share: embeddings in batches of a constant shape, cosines, fill colours, threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from modules.attribution.explainer import Reference, Refused
from modules.layers.normalize import SHORTEST
from modules.metrics.roc import Curve

BATCH = 32  # images of one pair go through together, always as many, so that no map depends on the other pairs

Colour = tuple[float, float, float]
Fill = Literal["mean", "black", "grey"] | Colour
_PLAIN: dict[str, Colour] = {"black": (-1.0, -1.0, -1.0), "grey": (0.0, 0.0, 0.0)}


def check_pairs(left: Tensor, right: Tensor, size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) of the images, whose shapes are as the contract says."""
    height, width = (size, size) if isinstance(size, int) else size
    assert left.ndim == 4, left.shape
    assert left.shape == right.shape, (left.shape, right.shape)
    assert len(left) > 0, "no pair"
    assert tuple(left.shape[1:]) == (3, height, width), (left.shape, size)
    return height, width


def embed_many(network: Any, count: int, make: Callable[[range], Tensor], batch: int = BATCH) -> Tensor:
    """Embeddings (count, D) float64, on the images' device, of the images that ``make`` gives for a range of rows.

    Every forward pass has ``batch`` images; the last one is filled up with copies of its last image.

    Raises:
        Refused: code ``not_finite``: an embedding holds NaN or infinity; code ``zero_norm``: one has no direction.
    """
    found = []
    for start in range(0, count, batch):
        images = make(range(start, min(start + batch, count)))
        known = len(images)
        if known < batch:
            images = torch.cat([images, images[-1:].expand(batch - known, -1, -1, -1)])
        found.append(network.embed(images)[:known].detach().double())
    embeddings = torch.cat(found)
    check_embeddings(embeddings)
    return embeddings


def check_embeddings(embeddings: Tensor) -> None:
    """Errors as ``embed_many``."""
    if bad := int((~torch.isfinite(embeddings).all(1)).sum()):
        raise Refused("not_finite", f"{bad} of {len(embeddings)} embeddings hold NaN or infinity")
    if short := int((embeddings.norm(dim=1) <= SHORTEST).sum()):
        raise Refused("zero_norm", f"{short} of {len(embeddings)} embeddings are zero, so no cosine is defined for them")


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """(N,) of rows (N, D), none of which is zero."""
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))


def embed_rows(network: Any, images: Tensor, batch: int = BATCH) -> Tensor:
    """Embeddings (N, D) float64 of images (N, 3, H, W); errors as ``embed_many``."""
    return embed_many(network, len(images), lambda rows: images[rows.start : rows.stop], batch)


def colour(fill: Fill, reference: Reference | None, like: Tensor) -> Tensor:
    """(3, 1, 1), what hides a region, with the type and device of ``like``.

    Raises:
        Refused: code ``no_reference``: the mean colour is asked for and there is no reference.
    """
    if fill == "mean":
        if reference is None:
            raise Refused("no_reference", "fill mean is the mean colour of the protocol's images, and no reference gives it")
        return torch.as_tensor(np.asarray(torch.as_tensor(reference.mean).cpu())).to(like).view(3, 1, 1)
    plain = _PLAIN[fill] if isinstance(fill, str) else fill
    return torch.tensor(plain, dtype=like.dtype, device=like.device).view(3, 1, 1)


def kinds(reference: Reference | None) -> np.ndarray | None:
    """bool (M,), which pairs of the reference are genuine; None where there is no reference or one kind of pair is absent."""
    if reference is None:
        return None
    same = np.asarray(torch.as_tensor(reference.same).cpu()).astype(bool)
    return same if same.any() and not same.all() else None


def decision_threshold(network: Any, reference: Reference | None, like: Tensor, instead: str) -> float:
    """The cosine from which the network calls two faces the same, with the most right decisions on the reference pairs.

    They are embedded with the type and on the device of ``like``.

    Raises:
        Refused: code ``no_reference``: there are not both kinds of pairs; ``instead`` says what else would do.
    """
    same = kinds(reference)
    if reference is None or same is None:
        raise Refused("no_reference", f"the decision threshold is found on genuine and impostor reference pairs; {instead}")
    left, right = (embed_rows(network, images.to(like)) for images in (reference.left, reference.right))
    scores = cosine(left, right).cpu().numpy()
    return Curve.of(scores, same).best()[1]

"""Utilities shared by pair explainers: embeddings in batches of a constant shape, cosines, fill colors, threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from configs.contract import described
from configs.explainers import PairExplainerConfig
from modules.attribution.batch_size import batch_size
from modules.attribution.explainer import Reference, Refused
from modules.layers.normalize import SHORTEST
from modules.metrics.roc import Curve
from modules.shape_inference import Size, sides

BATCH = 32  # on a CPU. A batch is filled with images of one pair only, so that no map depends on other pairs

Color = tuple[float, float, float]
Fill = Literal["mean", "black", "gray"] | Color
_PLAIN: dict[str, Color] = {"black": (-1.0, -1.0, -1.0), "gray": (0.0, 0.0, 0.0)}


class ThresholdConfig(PairExplainerConfig):
    """Base class of configs of methods that compare shares of the cosine with those of a decision threshold.

    Fields:
        threshold: T; None: the best decision threshold on the reference pairs
    """

    threshold: float | None = Field(default=None, ge=-1, le=1)

    @property
    def difference_maps(self) -> frozenset[str]:
        return frozenset({"S-"})


def check_pairs(left: Tensor, right: Tensor, size: Size) -> tuple[int, int]:
    """Checks that the shapes are as documented in ``PairExplainer.explain``; returns (height, width).

    Raises:
        ValueError: they are not.
    """
    height, width = sides(size)
    if left.ndim != 4 or tuple(left.shape[1:]) != (3, height, width) or left.shape != right.shape or len(left) == 0:
        raise ValueError(
            f"left and right images are two tensors of one shape (N, 3, {height}, {width}) with N > 0, one row per pair; found "
            f"{described(left)} and {described(right)}"
        )
    return height, width


def embed_many(network: Any, count: int, make: Callable[[range], Tensor], like: Tensor, batch: int | None = None) -> Tensor:
    """Embeddings (count, D) float64, on the images' device, of the images that ``make`` returns for a range of rows.

    Every forward pass has ``batch`` images; the last batch is padded with copies of its last image.

    Args:
        like: (..., H, W), with the device and the size of the images
        batch: None: ``BATCH`` on a CPU, and on a GPU as many as fit

    Raises:
        Refused: code ``not_finite``: an embedding contains NaN or infinity; code ``zero_norm``: an embedding has norm zero.
    """
    found = []
    batch = batch or batch_size(BATCH, like, count)
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
    """Checks embeddings; raises as ``embed_many``."""
    kinds = (~torch.isfinite(embeddings).all(1)).sum(), (embeddings.norm(dim=1) <= SHORTEST).sum()
    bad, short = torch.stack(kinds).tolist()  # read together: the CPU waits for a GPU once
    if bad:
        raise Refused("not_finite", f"{bad} of {len(embeddings)} embeddings hold NaN or infinity")
    if short:
        raise Refused("zero_norm", f"{short} of {len(embeddings)} embeddings are zero, so no cosine is defined for them")


def cosine(one: Tensor, other: Tensor) -> Tensor:
    """Cosines (N,) of rows (N, D), none of which is zero."""
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))


def embed_rows(network: Any, images: Tensor, batch: int | None = None) -> Tensor:
    """Embeddings (N, D) float64 of images (N, 3, H, W); ``batch`` and errors as ``embed_many``."""
    return embed_many(network, len(images), lambda rows: images[rows.start : rows.stop], images, batch)


def color(fill: Fill, reference: Reference | None, like: Tensor) -> Tensor:
    """Fill color (3, 1, 1) for hidden regions, with the dtype and device of ``like``.

    Raises:
        Refused: code ``no_reference``: the mean color is requested and there is no reference.
    """
    if fill == "mean":
        if reference is None:
            raise Refused(
                "no_reference",
                "fill mean is the mean color of reference images, and there are none; in the library, pass reference; or "
                "choose another fill",
            )
        return torch.as_tensor(np.asarray(torch.as_tensor(reference.mean).cpu())).to(like).view(3, 1, 1)
    plain = _PLAIN[fill] if isinstance(fill, str) else fill
    return torch.tensor(plain, dtype=like.dtype, device=like.device).view(3, 1, 1)


def kinds(reference: Reference | None) -> np.ndarray | None:
    """bool (M,), True for the reference's genuine pairs; None without a reference or if all pairs are of one kind."""
    if reference is None:
        return None
    same = np.asarray(torch.as_tensor(reference.same).cpu()).astype(bool)
    return same if same.any() and not same.all() else None


def decision_threshold(network: Any, reference: Reference | None, like: Tensor, instead: str) -> float:
    """Decision threshold on the cosine with the highest accuracy on the reference pairs.

    The pairs are embedded with the dtype and on the device of ``like``.

    Raises:
        Refused: code ``no_reference``: there are not both genuine and impostor pairs; ``instead`` names an alternative for the
            message.
    """
    if reference is None:
        needed = "the method needs a decision threshold, which is found on reference pairs, and there are none"
        raise Refused("no_reference", f"{needed}; in the library, pass reference; or {instead}")
    same = kinds(reference)
    if same is None:
        one_kind = "the reference pairs are all of one kind, and a decision threshold needs genuine and impostor pairs"
        raise Refused("no_reference", f"{one_kind}; in a study, hold out more images (split); or {instead}")
    left, right = (embed_rows(network, images.to(like)) for images in (reference.left, reference.right))
    scores = cosine(left, right).cpu().numpy()
    return Curve.of(scores, same).best()[1]


def positive_and_negative(total: np.ndarray) -> dict[str, np.ndarray]:
    """Maps ``S+`` and ``S-``, float32: the positive values of a map, and the magnitudes of the negative ones."""
    return {"S+": np.maximum(total, 0).astype(np.float32), "S-": np.maximum(-total, 0).astype(np.float32)}


def threshold_of(given: float | None, network: Any, reference: Reference | None, like: Tensor) -> float:
    """T of an explainer: ``given``, or else the best decision threshold; see ``decision_threshold``."""
    return decision_threshold(network, reference, like, "set threshold to a cosine") if given is None else given


def cosine_shares(network: Any, left: Tensor, right: Tensor) -> Tensor:
    """Each component's share of the cosine of two images (3, H, W): (D,) float64, which sums to the cosine.

    Raises:
        Refused: code ``zero_norm`` or ``not_finite``, as ``embed_many``.
    """
    one, other = (embed_rows(network, image[None], 1)[0] for image in (left, right))  # not filled up to a whole batch
    return one * other / (one.norm() * other.norm())

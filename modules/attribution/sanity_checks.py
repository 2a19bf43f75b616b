"""Do maps depend on the network and the target (Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018)?

Parameters are reinitialized, either of a single layer (independent) or of all layers from the output down to it (cascading),
and the target is swapped: the other image of a pair, or the class. A map that does not change does not explain the network, or
the target. The similarity of two maps is the absolute rank correlation over their pixels, averaged over images. It is undefined
for constant maps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.attribution.explainer import Explainer, PairExplainer, Reference, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import embed_rows
from modules.attribution.targets import ClassLogit, Cosine, Target
from modules.attribution.weight_randomization import layers, randomized
from modules.metrics.ranking import spearman
from modules.shape_inference import Size

Maps = Mapping[str, np.ndarray]  # name -> (N, ...): map i is of image or pair i


def check_images(
    explainer: Explainer, network: Any, images: Tensor, target: Target, size: Size, settings: Any
) -> dict[str, Any]:
    """Checks a method's maps of images (N, 3, H, W); returns JSON values, see ``check``.

    The target is swapped for the highest-scoring other class (``ClassLogit``) or for the next image's reference (``Cosine``,
    N >= 2). Raises as ``explainer.explain`` does for the unchanged network.
    """

    def explain(one: Any, wanted: Target) -> Maps:
        return {"": explainer.explain(one, images, wanted, size).maps}

    parts = ("loss", "decoder", "head", "backbone") if target.classes else ("decoder", "head", "backbone")
    return check(
        lambda one: explain(one, target), network, parts, lambda: explain(network, swapped(network, images, target)), settings
    )


def check_pairs(
    explainer: PairExplainer,
    network: Any,
    left: Tensor,
    right: Tensor,
    size: Size,
    reference: Reference | None = None,
    *,
    settings: Any,
    **options: Any,
) -> dict[str, Any]:
    """Checks a pair method's maps; returns JSON values, see ``check``. ``options`` are passed to ``explainer.explain``.

    Parameters learned from reference pairs, such as Theta, are learned once, from the unchanged network.

    The target is swapped by pairing each left image with the previous pair's right image (N >= 2); the left maps are compared.
    """
    assert len(left) >= 2, "a swap needs two pairs"
    method = explainer.tuned(network, left, size, reference)

    def explain(one: Any, others: Tensor, sides: slice) -> Maps:
        found = method.explain(one, left, others, size, reference, **options).maps
        return {name: maps[:, sides] for name, maps in found.items()}

    def swap() -> tuple[Maps, Maps]:
        first = slice(0, 1)
        return explain(network, right, first), explain(network, right.roll(1, 0), first)

    return check(lambda one: explain(one, right, slice(None)), network, ("decoder", "head", "backbone"), swap, settings)


def check(
    explain: Callable[[Any], Maps],
    network: Any,
    parts: Sequence[str],
    swap: Callable[[], Maps | tuple[Maps, Maps]],
    settings: Any,
) -> dict[str, Any]:
    """Runs all checks; the network itself is never changed. ``settings``: a ``SanityConfig``.

    Returns:
        ``cascading`` and ``independent``: lists of ``{layer, rho}``, where rho is name of map -> result of ``likeness``;
        ``target_swap``: the same rho; ``flags``: name of map -> list of ``parameter-insensitive`` (whole network
        reinitialized) and ``target-insensitive`` if the mean abs(rho) is above the limit, and ``undetermined`` if rho is
        undefined for all maps. If the method refuses, ``refused`` ``{code, reason}`` replaces rho.
    """
    plain = explain(network)
    names = layers(network, parts)
    points = sorted({round(depth * len(names) / settings.depths) for depth in range(1, settings.depths + 1)} - {0})

    def compared(make: Callable[[], Maps | tuple[Maps, Maps]]) -> dict[str, Any]:
        try:
            made = make()
        except Refused as refused:
            return {"refused": {"code": refused.code, "reason": refused.reason}}
        before, after = made if isinstance(made, tuple) else (plain, made)
        return {"rho": {name: likeness(before[name], after[name]) for name in before if name in after}}

    def drawn(changed: Sequence[str]) -> dict[str, Any]:
        return compared(lambda: explain(randomized(network, changed, settings.seed)))

    cascading = [{"layer": names[point - 1], "layers": point, **drawn(names[:point])} for point in points]
    independent = [{"layer": names[point - 1], **drawn(names[point - 1 : point])} for point in points]
    swapping = compared(swap)
    flags = {}
    for name in plain:
        looks = {
            "parameter-insensitive": cascading[-1].get("rho", {}).get(name),
            "target-insensitive": swapping.get("rho", {}).get(name),
        }
        means = {flag: look and look["mean"] for flag, look in looks.items()}
        flags[name] = [flag for flag, mean in means.items() if mean is not None and mean > settings.limit]
        if any(look is not None and look["mean"] is None for look in looks.values()):
            flags[name].append("undetermined")
    return {
        "seed": settings.seed,
        "limit": settings.limit,
        "cascading": cascading,
        "independent": independent,
        "target_swap": swapping,
        "flags": flags,
    }


def likeness(before: np.ndarray, after: np.ndarray) -> dict[str, Any]:
    """``mean`` of abs(rho) over maps (N, ...), ``undefined`` (number of maps without rho), ``equal`` (number of equal maps)."""
    found = [spearman(one, other) for one, other in zip(before, after, strict=True)]
    known = [abs(rho) for rho in found if rho is not None]
    return {
        "mean": float(np.mean(known)) if known else None,
        "undefined": len(found) - len(known),
        "equal": sum(bool(np.array_equal(one, other)) for one, other in zip(before, after, strict=True)),
    }


def swapped(network: Any, images: Tensor, target: Target) -> Target:
    """Returns a different target for each image.

    Raises:
        Refused: code ``no_swap``: there is no other target.
    """
    if isinstance(target, Cosine):
        if len(target) < 2:
            raise Refused("no_swap", "one reference cannot be swapped")
        return target.take([(row + 1) % len(target) for row in range(len(target))])
    if isinstance(target, ClassLogit):
        with torch.no_grad(), evaluating(network):
            logits = network.loss.logits(embed_rows(network, images, 1).to(images.dtype)).clone()
        if logits.shape[1] < 2:
            raise Refused("no_swap", "one class cannot be swapped")
        labels = target.labels.to(logits.device)
        logits.scatter_(1, labels[:, None], -torch.inf)
        return ClassLogit(logits.argmax(1).to(target.labels.device))
    raise Refused("no_swap", f"no other target is known for {type(target).__name__}")

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

SAME = 1e-9  # a smaller difference of a cosine from 1 is rounding
Maps = Mapping[str, np.ndarray]  # name -> (N, ...): map i is of image or pair i


def check_images(
    explainer: Explainer, network: Any, images: Tensor, target: Target, size: Size, settings: Any
) -> dict[str, Any]:
    """Checks a method's maps of images (N, 3, H, W); returns JSON values, see ``check``.

    The target is swapped as by ``swapped``; images without another target are left out of that comparison. Raises as
    ``explainer.explain`` does for the unchanged network.
    """

    def explain(one: Any, wanted: Target) -> Maps:
        return {"": explainer.explain(one, images, wanted, size).maps}

    def swap(plain: Maps) -> tuple[Maps, Maps]:
        wanted, rows = swapped(network, images, target)
        return {"": plain[""][rows]}, {"": explain(network, wanted)[""][rows]}

    parts = ("loss", "decoder", "head", "backbone") if target.classes else ("decoder", "head", "backbone")
    return check(lambda one: explain(one, target), network, parts, swap, settings)


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

    What a method fixes by ``tuned``, such as the scale Theta, is that of the unchanged network. All else that is learned from
    reference pairs, such as a decision threshold, is learned for each network.

    The target is swapped by pairing each left image with the right image of the nearest previous pair that is neither its own
    right image nor itself (N >= 2). The left maps are compared; pairs without such an image are left out of that comparison.
    """
    assert len(left) >= 2, "a swap needs two pairs"
    method = explainer.tuned(network, left, size, reference)

    def explain(one: Any, others: Tensor) -> Maps:
        return method.explain(one, left, others, size, reference, **options).maps

    def swap(plain: Maps) -> tuple[Maps, Maps]:
        def fits(row: int, other: int) -> bool:
            return not any(torch.equal(right[other], image) for image in (right[row], left[row]))

        order, rows = _others(len(left), -1, fits)
        after = explain(network, right[order])
        return tuple({name: found[name][rows, :1] for name in found} for found in (plain, after))  # type: ignore[return-value]

    return check(lambda one: explain(one, right), network, ("decoder", "head", "backbone"), swap, settings)


def check(
    explain: Callable[[Any], Maps],
    network: Any,
    parts: Sequence[str],
    swap: Callable[[Maps], tuple[Maps, Maps]],
    settings: Any,
) -> dict[str, Any]:
    """Runs all checks; the network itself is never changed. ``settings``: a ``SanityConfig``. ``swap`` is given the maps of the
    network and returns those of the images or pairs that have another target, before and after the swap.

    Returns:
        ``cascading`` and ``independent``: lists of ``{layer, rho}``, where rho is name of map -> result of ``likeness``;
        ``target_swap``: the same rho; ``flags``: name of map -> list of ``parameter-insensitive`` (whole network
        reinitialized) and ``target-insensitive`` if the mean abs(rho) is above the limit, and ``undetermined`` if rho is
        undefined for all maps. If the method refuses, ``refused`` ``{code, reason}`` replaces rho.
    """
    plain = explain(network)
    names = layers(network, parts)
    points = sorted({round(depth * len(names) / settings.depths) for depth in range(1, settings.depths + 1)} - {0})

    def compared(make: Callable[[], tuple[Maps, Maps]]) -> dict[str, Any]:
        try:
            before, after = make()
        except Refused as refused:
            return {"refused": {"code": refused.code, "reason": refused.reason}}
        return {"rho": {name: likeness(before[name], after[name]) for name in before if name in after}}

    def drawn(changed: Sequence[str]) -> dict[str, Any]:
        return compared(lambda: (plain, explain(randomized(network, changed, settings.seed))))

    cascading = [{"layer": names[point - 1], "layers": point, **drawn(names[:point])} for point in points]
    independent = [{"layer": names[point - 1], **drawn(names[point - 1 : point])} for point in points]
    swapping = compared(lambda: swap(plain))
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


def swapped(network: Any, images: Tensor, target: Target) -> tuple[Target, list[int]]:
    """Returns another target for each image (N, 3, H, W), and the rows for which there is one; the others keep theirs.

    That is the highest-scoring other class (``ClassLogit``), or the reference of the nearest next image (``Cosine``) whose
    direction is neither that of its own reference nor that of the image itself, such as where pairs share images.

    Raises:
        Refused: code ``no_swap``: no image has another target.
    """
    if isinstance(target, Cosine):
        with torch.no_grad(), evaluating(network):
            own = embed_rows(network, images, 1).double().cpu()
        own, references = (torch.nn.functional.normalize(one, dim=1) for one in (own, target.references.double().cpu()))
        like = torch.maximum(references @ references.T, own @ references.T)
        order, rows = _others(len(target), 1, lambda row, other: bool(like[row, other] < 1 - SAME))
        return target.take(order), rows
    if isinstance(target, ClassLogit):
        with torch.no_grad(), evaluating(network):
            logits = network.loss.logits(embed_rows(network, images, 1).to(images.dtype)).clone()
        if logits.shape[1] < 2:
            raise Refused("no_swap", "one class cannot be swapped")
        labels = target.labels.to(logits.device)
        logits.scatter_(1, labels[:, None], -torch.inf)
        return ClassLogit(logits.argmax(1).to(target.labels.device)), list(range(len(target)))
    raise Refused("no_swap", f"no other target is known for {type(target).__name__}")


def _others(count: int, step: int, fits: Callable[[int, int], bool]) -> tuple[list[int], list[int]]:
    """For each of ``count`` rows the nearest row in steps, around the end, that fits it, or itself; and the rows that have one.

    Raises:
        Refused: code ``no_swap``: no row has one.
    """
    rows = range(count)
    order = [next((other for n in rows[1:] if fits(row, other := (row + step * n) % count)), row) for row in rows]
    found = [row for row, other in enumerate(order) if other != row]
    if not found:
        raise Refused("no_swap", "no reference of another image differs from the image's own and from the image itself")
    return order, found

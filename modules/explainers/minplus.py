"""MinPlus (Mery, "True Black-Box Explanation in Facial Analysis", CVPR Workshops 2022): remove and aggregate local patches.

A patch is a Gaussian window G. "Minus" removes the patch, x (1 - G), and measures the drop of the cosine. "Plus" shows only the
patch on a blank image, x G, and measures the gain of the cosine. One image is changed at a time, the other is unaltered. Both
are computed for each patch separately; with ``rounds`` also greedily: each round keeps the patch with the largest effect, until
no patch has one.

The method explains why two faces match, so it applies to genuine pairs. Other pairs are refused individually.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from configs.explainers import PairExplainerConfig
from modules.attribution.explainer import PairAttribution, PairExplainer, Reference, Refused
from modules.attribution.hooks import evaluating
from modules.attribution.pair_utilities import Fill, check_pairs, color, cosine, decision_threshold, embed_many, embed_rows
from modules.attribution.patches import count, places
from modules.attribution.progress import announced
from modules.shape_inference import Size

CODE = "impostor_pair"


class MinPlusConfig(PairExplainerConfig):
    """Fields:
    width: standard deviation of a patch in pixels
    stride: pixels from one patch's center to the next, at most 2 x ``width``
    rounds: maximum number of patches kept by the greedy maps; 0: no greedy maps
    fill: color of removed patches and of the blank image
    threshold: cosine from which a pair counts as genuine if no ground truth is given; None: the best one on the reference pairs
    """

    name: Literal["minplus"] = "minplus"
    width: float = Field(default=10.0, gt=0)
    stride: int = Field(default=8, ge=1)
    rounds: int = Field(default=0, ge=0)
    fill: Fill = "black"
    threshold: float | None = Field(default=None, ge=-1, le=1)

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if self.stride > 2 * self.width:
            raise ValueError(
                f"stride {self.stride} is more than twice width {self.width:g}: pixels between patches would be missed"
            )
        return self

    def passes(self, dimension: int, size: tuple[int, int]) -> float:
        return 2 * count(size, 1, self.stride) * (1 + self.rounds) + 2  # fewer if greedy rounds end early

    def build(self) -> MinPlus:
        return MinPlus(self)


class MinPlus(PairExplainer[MinPlusConfig]):
    """Costs 4 x patches + 4 forward passes per pair; with ``rounds``, up to 4 x rounds x patches more."""

    asks: ClassVar[bool] = True

    def explain(
        self,
        network: Any,
        left: Tensor,
        right: Tensor,
        size: Size,
        reference: Reference | None = None,
        same: Any = None,
    ) -> PairAttribution:
        """Map ``minplus``, the mean of the others, each scaled to [0, 1]; and the others, raw, in units of the cosine:
        ``removal``, ``aggregation``, and with ``rounds`` ``greedy_removal``, ``greedy_aggregation``.

        ``same``, bool (N,), is True for genuine pairs; without it the network's decision is used. ``notes.refused_pairs`` lists
        all other pairs, ``{pair, code, reason}``; a manifest must give that reason instead of the map, which is zero.

        Raises:
            Refused: code ``impostor_pair``: no pair is genuine; codes ``no_reference``, ``zero_norm``, ``not_finite``.
        """
        check_pairs(left, right, size)
        fill = color(self.config.fill, reference, left)
        with torch.no_grad(), evaluating(network):
            cosines = cosine(embed_rows(network, left, 1), embed_rows(network, right, 1)).cpu().numpy()
            reasons, evaluated = self.refusals(network, cosines, left, reference, same)
            if len(reasons) == len(left):
                raise Refused(CODE, f"none of the {len(left)} pairs is genuine; the first: {reasons[0]}")
            found = {
                pair: [self.strategies(network, *both, fill) for both in ((left[pair], right[pair]), (right[pair], left[pair]))]
                for pair in announced([pair for pair in range(len(left)) if pair not in reasons])
            }
        names = list(next(iter(found.values()))[0])
        maps = {name: np.zeros((len(left), 2, *left.shape[2:]), np.float32) for name in ("minplus", *names)}
        for pair, sides in found.items():
            for side, raw in enumerate(sides):
                for name in names:
                    maps[name][pair, side] = raw[name]
                maps["minplus"][pair, side] = np.mean([_scaled(one) for one in raw.values()], axis=0)
        refused = [{"pair": pair, "code": CODE, "reason": reason} for pair, reason in sorted(reasons.items())]
        notes = {
            "refused_pairs": refused,
            "evaluated_by": evaluated,
            "fill": [round(float(value), 6) for value in fill.flatten()],
        }
        return PairAttribution(maps, cosines.astype(np.float32), notes=notes, signed=frozenset(names))

    def refusals(
        self, network: Any, cosines: np.ndarray, like: Tensor, reference: Reference | None, same: Any
    ) -> tuple[dict[int, str], str]:
        """Returns (pair -> reason for refusal, source of the genuine/impostor decision)."""
        if same is not None:
            genuine = np.asarray(torch.as_tensor(same).cpu()).astype(bool)
            assert genuine.shape == cosines.shape, (genuine.shape, cosines.shape)
            why = "the pair shows two subjects; the method explains why two images show one"
            return {int(pair): why for pair in np.flatnonzero(~genuine)}, "truth"
        limit = self.config.threshold
        if limit is None:
            limit = decision_threshold(network, reference, like, "set threshold to a cosine, or say which pairs are genuine")
        why = (
            "the network holds the pair to be two subjects (cosine {:.4f}, threshold {:.4f}); only genuine pairs are explained"
        )
        return {int(pair): why.format(cosines[pair], limit) for pair in np.flatnonzero(cosines < limit)}, "decision"

    def strategies(self, network: Any, image: Tensor, other: Tensor, fill: Tensor) -> dict[str, np.ndarray]:
        """Raw maps (H, W) float64 of one image (3, H, W); the network is in evaluation mode."""
        height, width = image.shape[1:]
        down, across = (self.windows(side).to(image) for side in (height, width))
        patches = (down[:, None, :, None] * across[None, :, None, :]).flatten(0, 1)
        reference = embed_rows(network, other[None], 1)

        def score(visible: Callable[[range], Tensor], count: int) -> np.ndarray:
            def make(rows: range) -> Tensor:
                shown = visible(rows)[:, None]
                return image * shown + fill * (1 - shown)

            return cosine(embed_many(network, count, make, image), reference).cpu().numpy()

        def single(shown: Tensor) -> np.ndarray:
            return score(lambda rows: shown.expand(len(rows), -1, -1), 1)

        everything, nothing = torch.ones_like(image[0]), torch.zeros_like(image[0])
        whole, blank = float(single(everything)[0]), float(single(nothing)[0])

        def removed(kept: Tensor) -> np.ndarray:
            return score(lambda rows: kept * (1 - patches[rows.start : rows.stop]), len(patches))

        def added(kept: Tensor) -> np.ndarray:
            return score(lambda rows: 1 - (1 - kept) * (1 - patches[rows.start : rows.stop]), len(patches))

        windows = (down.double().cpu().numpy(), across.double().cpu().numpy())
        found = {
            "removal": _blended(whole - removed(everything), *windows),
            "aggregation": _blended(added(nothing) - blank, *windows),
        }
        if self.config.rounds:
            found["greedy_removal"] = self._greedy(removed, everything, whole, -1, patches)
            found["greedy_aggregation"] = self._greedy(added, nothing, blank, 1, patches)
        return found

    def _greedy(
        self, scores: Callable[[Tensor], np.ndarray], kept: Tensor, before: float, sign: int, patches: Tensor
    ) -> np.ndarray:
        total = np.zeros(kept.shape)
        for _ in range(self.config.rounds):
            gains = sign * (scores(kept) - before)
            best = int(np.argmax(gains))
            if gains[best] <= 0:
                break
            total += gains[best] * patches[best].double().cpu().numpy()
            before += sign * float(gains[best])
            kept = kept * (1 - patches[best]) if sign < 0 else 1 - (1 - kept) * (1 - patches[best])
        return total

    def windows(self, side: int) -> Tensor:
        """One-dimensional windows (centers, side) float64; a patch is the product of a vertical and a horizontal one."""
        centers = torch.tensor(places(side, 1, self.config.stride), dtype=torch.float64)[:, None]
        return torch.exp(-((torch.arange(side) - centers) ** 2) / (2 * self.config.width**2))


def _blended(values: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Map (H, W): at each pixel the mean of the patches' values, weighted by the patch windows."""
    table = values.reshape(len(down), len(across))
    return (down.T @ table @ across) / np.outer(down.sum(0), across.sum(0))


def _scaled(raw: np.ndarray) -> np.ndarray:
    low, high = raw.min(), raw.max()
    return (raw - low) / (high - low) if high > low else np.zeros_like(raw)

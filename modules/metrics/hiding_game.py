"""The hiding game for pairs (Mery, CVPRW 2022; Xu and Ebrahimi, 2023, Section IV-B).

In both images of each pair, an increasing fraction of the pixels is blurred, lowest map values first. Good maps keep the
verification accuracy high; the score is the area under the accuracy curve. The decision threshold is fixed on unaltered images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.metrics.baselines import baselines
from modules.metrics.pixel_replacement import Settings, area, blurred, course, order, to_images
from modules.metrics.resampling import against, mean_interval
from modules.metrics.roc import Curve

Maps = tuple[np.ndarray, np.ndarray]  # of the left and of the right images, (N, h, w) each


@dataclass(frozen=True)
class Played:
    """One method's game.

    Attributes:
        cosines: float64 (F, N), for each share of hidden pixels and each pair
        correct: bool (F, N), at the threshold fixed on unaltered images
        refitted: bool (F, N), at the best threshold for each share; None without both genuine and impostor pairs
        thresholds: float64 (F,), the thresholds of ``refitted``
    """

    cosines: np.ndarray
    correct: np.ndarray
    refitted: np.ndarray | None
    thresholds: np.ndarray | None


class HidingGame:
    """The game on a fixed set of pairs; everything that does not depend on a map is computed once.

    Args:
        embed: function from images float32 (B, 3, H, W) in [-1, 1] to embeddings (B, D), or to a function that returns them
        left, right: float32 (N, 3, H, W)
        same: bool (N,), True for a genuine pair
        settings: how pixels are hidden; None: the defaults
        threshold: a pair is accepted at a cosine of at least this; None: the best one on these pairs, unaltered
        memory: cache of baselines by name, valid for these arguments only; new ones are added

    Raises:
        ValueError: an embedding has norm 0, or no threshold is given and there are not both genuine and impostor pairs.
    """

    def __init__(
        self,
        embed: Callable[[np.ndarray], Any],
        left: np.ndarray,
        right: np.ndarray,
        same: np.ndarray,
        settings: Settings | None = None,
        threshold: float | None = None,
        memory: MutableMapping[str, Played] | None = None,
    ) -> None:
        assert left.shape == right.shape, (left.shape, right.shape)
        assert left.dtype == right.dtype == np.float32, (left.dtype, right.dtype)
        assert np.shape(same) == (len(left),), (np.shape(same), len(left))
        self.embed, self.left, self.right = embed, left, right
        self.memory: MutableMapping[str, Played] = {} if memory is None else memory
        self.same = np.asarray(same, bool)
        self.settings = settings or Settings()
        self._hidden = (blurred(left, self.sigma), blurred(right, self.sigma))
        none = np.zeros((len(left), left.shape[2] * left.shape[3]), np.int64)
        self._clean = self._cosines(((left, none), (right, none)), (0.0,))
        self._blank = self._cosines(((self._hidden[0], none), (self._hidden[1], none)), (0.0,))
        self.threshold_from = "these pairs, clean" if threshold is None else "given"
        self.threshold = Curve.of(self._clean[0], self.same).best()[1] if threshold is None else threshold

    @property
    def sigma(self) -> float:
        """Standard deviation of the Gaussian blur, in pixels."""
        return self.settings.sigma(self.left.shape[2])

    def play(self, maps: Maps) -> Played:
        """Plays the game with maps of any resolution, larger = more important; signed maps are ranked by their values.

        Raises:
            ValueError: a map contains NaN or infinity, or an embedding has norm 0.
        """
        size = (self.left.shape[2], self.left.shape[3])
        assert len(maps[0]) == len(maps[1]) == len(self.left), (len(maps[0]), len(maps[1]), len(self.left))
        orders = [order(to_images(one, size), self.settings.seed, side) for side, one in enumerate(maps)]
        inner = self.settings.shares[1:-1]
        parts = [self._clean, self._blank]
        if inner:
            parts.insert(1, self._cosines(((self.left, orders[0]), (self.right, orders[1])), inner))
        cosines = np.concatenate(parts)
        correct = (cosines >= self.threshold) == self.same
        if self.same.all() or not self.same.any():
            return Played(cosines, correct, None, None)
        thresholds = np.array([Curve.of(one, self.same).best()[1] for one in cosines])
        return Played(cosines, correct, (cosines >= thresholds[:, None]) == self.same, thresholds)

    def compare(self, methods: Mapping[str, Maps]) -> dict[str, Any]:
        """Plays every method and the baselines ``random``, ``constant`` and ``center``; returns a JSON value.

        ``methods[name]`` has ``accuracy`` (F numbers), ``auc`` with its bootstrap interval over pairs (stratified into genuine
        and impostor), as ``each`` the area of each pair, and ``above``, the difference to each baseline with a paired interval;
        and ``refit`` with the same two at the best threshold for each share (None without both kinds of pairs). Intervals treat
        thresholds as fixed.
        """
        count, size = len(self.left), (self.left.shape[2], self.left.shape[3])
        settings = self.settings
        grounds = baselines(2 * count, size, settings.seed, settings.center, methods)
        for name, maps in grounds.items():
            if name not in self.memory:
                self.memory[name] = self.play((maps[:count], maps[count:]))
        played = {name: self.memory[name] for name in grounds}
        played |= {name: self.play(maps) for name, maps in methods.items()}

        def entries(correct: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
            areas = {name: area(one, settings.shares) for name, one in correct.items()}
            return {
                name: {"accuracy": one.mean(axis=1).tolist(), "auc": against(areas, name, grounds, self._interval)}
                for name, one in correct.items()
            }

        found = entries({name: one.correct for name, one in played.items()})
        refit = entries({name: one.refitted for name, one in played.items() if one.refitted is not None})
        return {
            "shares": list(settings.shares),
            "pairs": count,
            "sigma": self.sigma,
            "threshold": self.threshold,
            "threshold_from": self.threshold_from,
            "seed": settings.seed,
            "methods": {name: {"baseline": name in grounds, **found[name], "refit": refit.get(name)} for name in played},
        }

    def _interval(self, values: np.ndarray, difference: bool) -> dict[str, Any]:
        return mean_interval(values, self.same, self.settings.resamples, self.settings.seed, share=not difference)

    def _cosines(self, sides: tuple[Maps, Maps], shares: tuple[float, ...]) -> np.ndarray:
        """Cosines (F, N) of the two sides, each given as (images, orders)."""
        found = []
        for (images, orders), hidden in zip(sides, self._hidden, strict=True):
            embeddings = course(
                lambda block, rows: self.embed(block), images, hidden, orders, shares, self.settings.batch
            ).astype(np.float64)
            lengths = np.linalg.norm(embeddings, axis=2, keepdims=True)
            bad = np.argwhere(~(np.isfinite(lengths[..., 0]) & (lengths[..., 0] > 0)))
            if len(bad):
                raise ValueError(f"the embedding of pair {bad[0][1]} has no direction with {shares[bad[0][0]]:.0%} hidden")
            found.append(embeddings / lengths)
        return (found[0] * found[1]).sum(axis=2)

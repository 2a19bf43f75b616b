"""Hiding, insertion and deletion games on single images: measures a score while pixels are changed in the order of a map.

Insertion and deletion are those of Petsiuk et al. (BMVC 2018, Section 4.1): the most important pixels are inserted into a
blurred image, or set to mid-gray. Higher area is better for insertion and the hiding game, lower for deletion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from modules.metrics.baselines import baselines
from modules.metrics.pixel_replacement import Settings, Values, area, blurred, course, order, read, to_images
from modules.metrics.resampling import against, mean_interval

Game = Literal["hiding", "insertion", "deletion"]


def class_values(logits: Callable[[np.ndarray], Any], labels: np.ndarray) -> Values:
    """Values of a classifier for ``ImageGame``, (B, 3): correct (0 or 1), the class's logit, and its probability.

    Args:
        logits: function from images float32 (B, 3, H, W) to (B, classes), or to a function that returns them, as ``Values``
        labels: int64 (N,), the class of each row
    """

    def values(images: np.ndarray, rows: np.ndarray) -> Callable[[], np.ndarray]:
        started = logits(images)

        def numbers() -> np.ndarray:
            found = read(started).astype(np.float64)
            wanted = np.asarray(labels)[rows]
            score = found[np.arange(len(rows)), wanted]
            top = found.max(axis=1)
            logsum = top + np.log(np.exp(found - top[:, None]).sum(axis=1))
            return np.stack([found.argmax(axis=1) == wanted, score, np.exp(score - logsum)], 1)

        return numbers

    return values


CLASS_NAMES = ("accuracy", "score", "probability")  # of ``class_values``
RANGES = {"accuracy": (0.0, 1.0), "probability": (0.0, 1.0), "cosine": (-1.0, 1.0), "distance": (0.0, 2.0)}  # others have none


@dataclass(frozen=True)
class ImageGame:
    """A game on a fixed set of images.

    Attributes:
        values: computes V numbers of altered images, (B, V), e.g. ``class_values`` or a cosine with another image
        names: names of the V numbers
        images: float32 (N, 3, H, W) in [-1, 1]
        game: ``hiding`` blurs the least important pixels first, ``deletion`` sets the most important ones to mid-gray first,
            ``insertion`` starts from the blurred image and restores the most important pixels first
        settings: how pixels are hidden
    """

    values: Values
    names: tuple[str, ...]
    images: np.ndarray
    game: Game = "hiding"
    settings: Settings = field(default_factory=Settings)

    def play(self, maps: np.ndarray) -> np.ndarray:
        """The numbers (F, N, V) at each share, for maps (N, h, w), larger = more important.

        Raises:
            ValueError: a map, or a number, is NaN or infinite.
        """
        settings, images = self.settings, self.images
        assert len(maps) == len(images), (len(maps), len(images))
        orders = order(to_images(maps, (images.shape[2], images.shape[3])), settings.seed)
        soft = np.zeros_like(images) if self.game == "deletion" else blurred(images, settings.sigma(images.shape[2]))
        if self.game != "hiding":
            orders = orders[:, ::-1]
        before, after = (soft, images) if self.game == "insertion" else (images, soft)
        found = course(self.values, before, after, orders, settings.shares, settings.batch).astype(np.float64)
        assert found.shape[2:] == (len(self.names),), (found.shape, self.names)
        bad = np.argwhere(~np.isfinite(found))
        if len(bad):
            share, row, name = settings.shares[bad[0][0]], bad[0][1], self.names[bad[0][2]]
            raise ValueError(f"{self.game}: the {name} of image {row} is no finite number at {share:.0%} of the pixels")
        return found

    def compare(self, methods: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Plays every method and the baselines; returns a JSON value.

        Per name and number: the mean curve, and the area with its bootstrap interval over images, as ``each`` that of each
        image, and ``above``, the difference to each baseline with a paired interval.
        """
        count, size = len(self.images), (self.images.shape[2], self.images.shape[3])
        settings = self.settings
        grounds = baselines(count, size, settings.seed, settings.center, methods)
        played = {name: self.play(maps) for name, maps in {**grounds, **methods}.items()}
        areas = {name: area(one, settings.shares) for name, one in played.items()}
        found: dict[str, dict[str, Any]] = {name: {"baseline": name in grounds} for name in played}
        for place, number in enumerate(self.names):
            of_number = {name: one[:, place] for name, one in areas.items()}
            for name, one in played.items():
                auc = against(of_number, name, grounds, partial(self._interval, number))
                found[name][number] = {"course": one[:, :, place].mean(axis=1).tolist(), "auc": auc}
        return {
            "game": self.game,
            "shares": list(settings.shares),
            "images": count,
            "sigma": None if self.game == "deletion" else settings.sigma(size[0]),
            "seed": settings.seed,
            "methods": found,
        }

    def _interval(self, number: str, values: np.ndarray, difference: bool) -> dict[str, Any]:
        """Of a number, or of its difference to a baseline."""
        ends, strata = RANGES.get(number), np.zeros(len(values))
        share = ends == (0, 1) and not difference
        most = None if ends is None else ends[1] - ends[0] if difference else ends[1]
        return mean_interval(values, strata, self.settings.resamples, self.settings.seed, share=share, most=most)

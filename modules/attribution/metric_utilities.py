"""Utilities shared by scores: config fields of games, networks as functions of arrays, and the result format."""

from __future__ import annotations

import contextlib
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from configs.explainers import ScoreConfig
from modules.attribution.batch_size import batch_of
from modules.attribution.checks import as_array
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained
from modules.attribution.hooks import evaluating
from modules.attribution.targets import ClassLogit
from modules.metrics.image_game import CLASS_NAMES, Game, ImageGame, class_values
from modules.metrics.pixel_replacement import Settings, Values


class GameConfig(Settings, ScoreConfig, ABC):
    """See ``Settings`` for the fields."""

    def settings_on(self, images: torch.Tensor, count: int) -> Self:
        """The settings with the batch for ``count`` images in all and the device of ``images``."""
        return self.model_copy(update={"batch": batch_of(self, images, count * len(self.shares))})


def image_game(config: GameConfig, game: Game, explained: Explained) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Result of ``ImageGame.compare`` on the images that have maps, and the names of the measured numbers.

    These are ``CLASS_NAMES`` for a class target; for pairs the explained score, ``cosine`` with or ``distance`` from the
    unaltered other image; for pair methods the cosine.
    """
    rows = explained.rows
    names, values = followed(explained, rows)
    played = ImageGame(values, names, as_array(explained.images)[rows], game, config.settings_on(explained.images, len(rows)))
    with finite():
        return played.compare({name: maps[rows] for name, maps in explained.maps.items()}), names


class PixelGame:
    """Insertion and deletion, on single images.

    Numbers: for a class target ``probability``, ``score`` (the logit) and ``accuracy``; for pairs, separately for each image,
    the ``cosine`` with the unaltered other image, or the ``distance`` if that was explained.

    Attributes:
        game: name of the game in ``ImageGame``
        low_is_good: whether a smaller area is better
    """

    game: ClassVar[Game]
    low_is_good: ClassVar[bool] = False

    def __init__(self, config: GameConfig) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``.

        Raises:
            Refused: ``not_finite``: a number is NaN or infinite, e.g. the cosine of an embedding of norm zero.
        """
        found, names = image_game(self.config, self.game, explained)
        headline = "probability" if "probability" in names else names[0]
        more = {"lower_is_better": list(names)} if self.low_is_good else {}
        numbers = {name: f"{name}.auc" for name in names}
        each = ("images", explained.rows)
        return score_result(explained, found["methods"], numbers, each=each, headlines=[headline], **more, details=found)


def followed(explained: Explained, rows: np.ndarray) -> tuple[tuple[str, ...], Values]:
    """Numbers measured in single-image games: their V names, and a function of images and positions in ``rows``."""
    if isinstance(explained.target, ClassLogit):
        return CLASS_NAMES, class_values(logits_of(explained).start, explained.target.labels.cpu().numpy()[rows])
    embed = embeddings_of(explained)
    codes = embed(as_array(explained.images)).astype(np.float64)
    others = codes.reshape(-1, 2, codes.shape[1])[:, ::-1].reshape(codes.shape)[rows]
    away = getattr(explained.explainer, "pair_target", "cosine") == "distance"

    def values(images: np.ndarray, places: np.ndarray) -> Callable[[], np.ndarray]:
        started = embed.start(images)

        def numbers() -> np.ndarray:
            found, other = started().astype(np.float64), others[places]
            with np.errstate(divide="ignore", invalid="ignore"):  # zero norm gives NaN; the game then reports which image
                cosines = (found * other).sum(1) / (np.linalg.norm(found, axis=1) * np.linalg.norm(other, axis=1))
            return (1 - cosines if away else cosines)[:, None]

        return numbers

    return ("distance" if away else "cosine",), values


@dataclass(frozen=True, eq=False)
class Arrays:
    """The network as a function of arrays: images float32 (B, 3, H, W) to ``forward`` of them, (B, ...), float32."""

    explained: Explained
    forward: Callable[[torch.Tensor], torch.Tensor]

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self.start(images)()

    def start(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        """Starts the computation and returns a function that waits for its result: a GPU computes in the meantime."""
        like = self.explained.images
        given = torch.from_numpy(np.ascontiguousarray(images))
        if like.is_cuda:
            given = given.pin_memory()  # any other copy waits until the GPU has finished
        with torch.no_grad(), evaluating(self.explained.network):
            found = self.forward(given.to(like, non_blocking=like.is_cuda))
        return lambda: as_array(found)


def embeddings_of(explained: Explained) -> Arrays:
    """Function from images to embeddings (B, D)."""
    return Arrays(explained, explained.network.embed)


def logits_of(explained: Explained) -> Arrays:
    """Function from images to logits (B, classes)."""
    network = explained.network
    return Arrays(explained, lambda images: network.loss.logits(network.embed(images)))


@contextlib.contextmanager
def finite() -> Iterator[None]:
    """Turns a non-finite number, or an embedding of norm zero, in a game into Refused with code ``not_finite``."""
    try:
        yield
    except Refused:
        raise
    except ValueError as error:
        raise Refused("not_finite", str(error)) from error


def score_result(
    explained: Explained,
    methods: Mapping[str, Mapping[str, Any]],
    numbers: Mapping[str, str],
    *,
    each: tuple[str, np.ndarray],
    **more: Any,
) -> dict[str, Any]:
    """Builds a result in the format of ``Scorer``.

    Args:
        methods: as returned by ``compare`` and ``pointing``, including the baselines
        numbers: name of a number in the result -> its path in a method's entry, such as ``auc`` or ``refit.auc``
        each: "images" or "pairs", and the indices of those that the values under ``each`` in the entries belong to
        more: further keys, stored unchanged
    """

    def numbers_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, path in numbers.items():
            value: Any = entry
            for part in path.split("."):
                value = value and value.get(part)
            if value is not None:
                yield name, value

    def of(entry: Mapping[str, Any]) -> dict[str, Any]:
        keys = ("value", "low", "high", "above")
        return {name: {key: value[key] for key in keys if key in value} for name, value in numbers_of(entry)}

    pairs = explained.same is not None
    own = {name: entry for name, entry in methods.items() if not entry["baseline"]}
    return {
        "of": "pairs" if pairs else "images",
        "count": len(explained.pairs if pairs else explained.images),
        "missing": len(explained.missing),
        "maps": {name: of(entry) for name, entry in own.items()},
        "baselines": {name: of(entry) for name, entry in methods.items() if entry["baseline"]},
        "each": {
            "of": each[0],
            "rows": each[1].tolist(),
            "maps": {name: {key: value["each"] for key, value in numbers_of(entry)} for name, entry in own.items()},
        },
        **more,
    }

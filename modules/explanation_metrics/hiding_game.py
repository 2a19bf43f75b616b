"""The hiding game (Mery, CVPRW 2022; Xu and Ebrahimi, 2023, Section IV-B): see ``modules.metrics.hiding_game``.

Measures the verification accuracy of pairs while the least important pixels of both images are hidden; for single images, the
classification accuracy.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any, Literal

import numpy as np

from modules.attribution.checks import as_array
from modules.attribution.explainer import Refused
from modules.attribution.explanation import Explained
from modules.attribution.metric_utilities import (
    GameConfig,
    embeddings_of,
    finite,
    image_game,
    score_result,
)
from modules.attribution.pair_utilities import decision_threshold
from modules.metrics.hiding_game import HidingGame, Played
from modules.metrics.pixel_replacement import Settings
from modules.metrics.roc import Curve
from modules.network import embedding_digest

REMEMBERED = 4  # games whose baselines a process caches
_baselines: OrderedDict[str, dict[str, Played]] = OrderedDict()


def baselines_of(explained: Explained, pairs: np.ndarray, settings: Settings, threshold: float) -> dict[str, Played]:
    """Baselines for this network, pairs and settings, cached per process: many methods explain the same pairs."""
    content = hashlib.sha256(embedding_digest(explained.network.state_dict()).encode())
    for array in (as_array(explained.images), explained.same, pairs):
        content.update(np.ascontiguousarray(array).tobytes())
    content.update(repr((tuple(explained.images.shape), settings, threshold)).encode())
    found = _baselines.setdefault(content.hexdigest(), {})
    _baselines.move_to_end(content.hexdigest())
    while len(_baselines) > REMEMBERED:
        _baselines.popitem(last=False)
    return found


class HidingGameConfig(GameConfig):
    """Fields, in addition to those of ``GameConfig``:
    threshold: cosine from which a pair is accepted: a number; ``pairs``: the best one on the unaltered explained pairs,
        including those without maps; ``reference``: the best one on pairs held out of training. Not used for single images
    """

    name: Literal["hiding_game"] = "hiding_game"
    threshold: Literal["pairs", "reference"] | float = "pairs"

    def build(self) -> Hiding:
        return Hiding(self)


class Hiding:
    """Numbers: ``auc``, the area under the accuracy; ``refit``, the same with the best threshold at each share (only with both
    genuine and impostor pairs). For images also ``score`` and ``probability``, the areas under the class logit and softmax.
    """

    def __init__(self, config: HidingGameConfig) -> None:
        self.config = config

    def score(self, explained: Explained) -> dict[str, Any]:
        """See ``Scorer``.

        Raises:
            Refused: ``no_maps``: no pair has a map; ``one_kind_of_pair``: all pairs are genuine, or none is, so no threshold
                can be chosen; ``not_finite``: an embedding has norm zero.
        """
        return self._images(explained) if explained.same is None else self._pairs(explained)

    def _images(self, explained: Explained) -> dict[str, Any]:
        found, _ = image_game(self.config, "hiding", explained)
        numbers = {"auc": "accuracy.auc", "score": "score.auc", "probability": "probability.auc"}
        each = ("images", explained.rows)
        return score_result(explained, found["methods"], numbers, each=each, headlines=["auc"], details=found)

    def _pairs(self, explained: Explained) -> dict[str, Any]:
        assert explained.same is not None
        pairs = explained.pairs
        if len(pairs) == 0:
            raise Refused("no_maps", "the method refused every pair")
        embed = embeddings_of(explained)
        images = as_array(explained.images)
        with finite():
            threshold, origin = self._threshold(explained, embed(images).astype(np.float64))
            left, right = images[0::2][pairs], images[1::2][pairs]
            settings = self.config.settings_on(explained.images, len(pairs))
            memory = baselines_of(explained, pairs, settings, threshold)
            game = HidingGame(embed.start, left, right, explained.same[pairs], settings, threshold, memory)
            found = game.compare({name: (maps[0::2][pairs], maps[1::2][pairs]) for name, maps in explained.maps.items()})
        found["threshold_from"] = origin
        genuine = int(explained.same[pairs].sum())
        kinds = {"genuine": genuine, "impostor": len(pairs) - genuine}
        numbers = {"auc": "auc", "refit": "refit.auc"}
        each = ("pairs", pairs)
        return score_result(explained, found["methods"], numbers, each=each, headlines=["auc", "refit"], **kinds, details=found)

    def _threshold(self, explained: Explained, codes: np.ndarray) -> tuple[float, str]:
        """Returns the threshold and a description of its source."""
        assert explained.same is not None
        wanted = self.config.threshold
        if wanted == "reference":
            remedy = "give a number, or threshold: pairs"
            found = decision_threshold(explained.network, explained.reference, explained.images, remedy)
            return float(found), "pairs held out of training"
        if wanted != "pairs":
            return float(wanted), "given"
        if explained.same.all() or not explained.same.any():
            kind = "genuine" if explained.same.all() else "impostor"
            raise Refused("one_kind_of_pair", f"all {len(explained.same)} pairs are {kind}, which gives no threshold")
        lengths = np.linalg.norm(codes, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ValueError("an embedding has no direction")
        unit = codes / lengths
        return Curve.of((unit[0::2] * unit[1::2]).sum(1), explained.same).best()[1], "the explained pairs, clean"

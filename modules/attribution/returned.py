"""Runs explainers and explanation metrics, and checks what they return against their interfaces.

Stages, ``facegrid debug`` and the library call methods only through this file, so an author's mistake is one line everywhere:
the component, what it returned, what is expected, and where that is documented.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from configs.contract import broken, built, is_json, naming
from configs.float32_precision import without_tf32
from modules.attribution.explainer import PAGE, Attribution, PairAttribution, Reference
from modules.attribution.explanation import Explained
from modules.attribution.targets import Target
from modules.shape_inference import Size

METRIC = "explanation_metric"  # page of docs/extending


def explain(config: Any, network: Any, images: Any, target: Target, size: Size) -> Attribution:
    """Runs an explainer of single images, see ``modules.attribution.explainer.Explainer.explain``.

    Raises:
        ContractError: ``build`` or ``explain`` returned something else than documented.
        Refused: as the method.
    """
    with naming("explainer", config.name):
        found = built(config, ("explain",), PAGE).explain(network, images, target, size)
        if not isinstance(found, Attribution):
            raise broken("explain returned", found, "an Attribution of modules.attribution.explainer", PAGE)
        if len(found.maps) != len(images):
            expected = f"a numpy array float32 ({len(images)}, h, w), one map per image"
            raise broken("Attribution.maps is", found.maps, expected, PAGE)
        return found


def explain_pairs(
    config: Any, network: Any, left: Any, right: Any, size: Size, reference: Reference | None, same: Any = None
) -> PairAttribution:
    """Runs an explainer of pairs, see ``modules.attribution.explainer.PairExplainer.explain``.

    Args:
        same: bool (N,), passed to methods that ask for it

    Raises:
        ContractError: ``build`` or ``explain`` returned something else than documented.
        Refused: as the method.
    """
    with naming("explainer", config.name):
        method = built(config, ("explain",), PAGE)
        more = {"same": same} if getattr(method, "asks", False) and same is not None else {}
        found = method.explain(network, left, right, size, reference, **more)
        if not isinstance(found, PairAttribution):
            raise broken("explain returned", found, "a PairAttribution of modules.attribution.explainer", PAGE)
        if len(found.cosines) != len(left):
            expected = f"a numpy array ({len(left)},), one cosine per pair"
            raise broken("PairAttribution.cosines is", found.cosines, expected, PAGE)
        return found


@without_tf32()
def score(config: Any, explained: Explained) -> dict[str, Any]:
    """The result of an explanation metric, see ``modules.attribution.explanation.Scorer.score``.

    Raises:
        ContractError: ``build`` or ``score`` returned something else than documented.
        Refused: as the metric.
    """
    with naming("explanation metric", config.name):
        found = built(config, ("score",), METRIC).score(explained)
        check_score(found, explained.maps)
        return dict(found)


def check_score(found: Any, names: Collection[str]) -> None:
    """Raises ContractError unless ``found`` is a result as documented in ``Scorer.score``; ``names`` are those of the maps."""
    if not isinstance(found, Mapping):
        raise broken("score returned", found, "a dict with of, count and maps", METRIC)
    if absent := [key for key in ("of", "count", "maps") if key not in found]:
        raise broken("score returned", found, f"also the key {' and the key '.join(absent)}", METRIC)
    if found["of"] not in ("images", "pairs"):
        raise broken("'of' is", found["of"], "'images' or 'pairs'", METRIC)
    if not isinstance(found["count"], int):
        raise broken("'count' is", found["count"], "the number of scored images or pairs, an int", METRIC)
    known = ", ".join(map(repr, names))
    if not isinstance(found["maps"], Mapping) or not set(found["maps"]) <= set(names):
        raise broken("'maps' is", found["maps"], f"a dict with the names of the maps ({known}) as keys", METRIC)
    for name, numbers in found["maps"].items():
        if not isinstance(numbers, Mapping):
            raise broken(f"maps[{name!r}] is", numbers, "a dict such as {'auc': {'value': 0.5}}", METRIC)
        for key, entry in numbers.items():
            _check_entry(f"maps[{name!r}][{key!r}] is", entry)
    for key in ("headlines", "lower_is_better"):
        if not isinstance(found.get(key, []), (list, tuple)):
            raise broken(f"{key!r} is", found[key], "a list of names of numbers", METRIC)
    ranges = found.get("ranges", {})
    if not isinstance(ranges, Mapping) or not all(map(_is_range, ranges.values())):
        raise broken("'ranges' is", ranges, "a dict such as {'auc': [0, 1]}: the smallest value, then the largest", METRIC)
    if not isinstance(found.get("flags", {}), Mapping):
        raise broken("'flags' is", found["flags"], "a dict from names of maps to lists of warnings", METRIC)
    _check_each(found.get("each"))
    if not is_json(found, finite=True):
        raise broken("score returned", found, "JSON values only: convert numpy numbers by float(), and NaN to None", METRIC)


def _is_range(ends: Any) -> bool:
    numbers = isinstance(ends, (list, tuple)) and all(isinstance(end, (int, float)) for end in ends)
    return numbers and len(ends) == 2 and ends[0] < ends[1]


def _check_each(each: Any) -> None:
    """Raises ContractError unless ``each`` is None or as documented in ``Scorer.score``."""
    if each is None:
        return
    keys = ("of", "rows", "maps")
    if not isinstance(each, Mapping) or any(key not in each for key in keys) or each["of"] not in ("images", "pairs"):
        raise broken("'each' is", each, "a dict with of ('images' or 'pairs'), rows and maps", METRIC)
    for name, numbers in each["maps"].items():
        for key, values in numbers.items():
            if not isinstance(values, (list, tuple)) or len(values) != len(each["rows"]):
                expected = f"{len(each['rows'])} values, one for each of its rows"
                raise broken(f"each['maps'][{name!r}][{key!r}] is", values, expected, METRIC)


def _check_entry(what: str, entry: Any) -> None:
    value = entry.get("value") if isinstance(entry, Mapping) else None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        shown = entry if not isinstance(entry, Mapping) or "value" not in entry else value
        raise broken(what, shown, "a dict with a finite number as its 'value'; leave out what could not be computed", METRIC)

"""Sweeps of a protocol: ``sweep: {jpeg.quality: [10, 30]}`` in a grid file is short for one protocol per value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from configs.lookup import lookup, nearest, shortened
from grid.spec.measure import is_number

SWEEP = "sweep"


def expanded(protocols: Sequence[Any], refuse: Callable[[str, str], Exception]) -> list[tuple[Any, int]]:
    """Each protocol of a grid file, with its position there; one with a ``sweep`` becomes one per setting and value.

    A key of a sweep is a transform and one of its fields, such as ``jpeg.quality``. Several keys are swept one after the other,
    not combined. The transform is applied after those under ``transforms``, or replaces the one of the same name there.

    Args:
        refuse: makes the exception for an invalid sweep, from its key in the file and the message.
    """
    found: list[tuple[Any, int]] = []
    for place, protocol in enumerate(protocols):
        if not isinstance(protocol, Mapping) or SWEEP not in protocol:
            found.append((protocol, place))
        else:
            found += [(one, place) for one in _points(protocol, f"protocols.{place}.{SWEEP}", refuse)]
    return found


def _points(protocol: Mapping[str, Any], where: str, refuse: Callable[[str, str], Exception]) -> Iterator[dict[str, Any]]:
    sweep = protocol[SWEEP]
    if not isinstance(sweep, Mapping) or not sweep:
        raise refuse(where, f"maps a setting to values, such as {{jpeg.quality: [10, 30]}}; found {shortened(sweep)}")
    plain = {key: value for key, value in protocol.items() if key != SWEEP}
    title = plain.get("label") or plain.get("name")
    fixed = plain.get("transforms") or []
    if not isinstance(fixed, list):
        raise refuse(where.replace(SWEEP, "transforms"), f"input should be a list; found {shortened(fixed)}")
    for key, values in sweep.items():
        transform, setting = _setting(key, f"{where}.{key}", refuse)
        if not isinstance(values, list) or not all(map(is_number, values)) or len(set(values)) < len(values) or not values:
            raise refuse(f"{where}.{key}", f"{key} is a list of different numbers; found {shortened(values)}")
        kept = [one for one in fixed if (one.get("name") if isinstance(one, Mapping) else one) != transform]
        base = next((one for one in fixed if isinstance(one, Mapping) and one.get("name") == transform), {})
        for value in values:
            yield {
                **plain,
                "label": f"{title} {words(key)} {value:g}" if isinstance(value, float) else f"{title} {words(key)} {value}",
                "transforms": [*kept, {**base, "name": transform, setting: value}],
                "sweep_point": {"of": str(title), "key": key, "value": value},
            }


def _setting(key: Any, where: str, refuse: Callable[[str, str], Exception]) -> tuple[str, str]:
    """The transform and its field."""
    transform, dot, setting = str(key).rpartition(".")
    if not dot or not transform:
        raise refuse(where, f"key {shortened(key)} names a transform and its setting, such as jpeg.quality")
    try:
        fields = [one for one in lookup("transform", transform).model_fields if one != "name"]
    except ValueError as error:
        raise refuse(where, str(error)) from error
    if setting not in fields:
        raise refuse(where, f"transform {transform} has no setting {setting!r}{nearest(setting, fields)}")
    return transform, setting


def words(key: str) -> str:
    """``jpeg quality`` for ``jpeg.quality``, and ``resize pixels`` for ``resize_pixels.pixels``."""
    parts = key.replace("_", ".").split(".")
    return " ".join(part for place, part in enumerate(parts) if place == 0 or part != parts[place - 1])

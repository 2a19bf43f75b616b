"""Where results were computed: devices and library versions, from the markers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from configs.component import canonical
from grid.ledger.records import Marker


def environments(markers: Iterable[Marker]) -> list[dict[str, Any]]:
    """The different environments of finished stages, each with its number of ``stages``, the largest number first.

    Every stage counts once. Markers written before environments were recorded do not count.
    """
    distinct = {(marker.kind, marker.id): marker.environment for marker in markers if marker.environment}
    known = {canonical(one): one for one in distinct.values()}
    counts = Counter(canonical(one) for one in distinct.values())
    return [{"stages": count, **known[key]} for key, count in counts.most_common()]


def mixed_devices(devices: Mapping[tuple[str, str], str | None]) -> list[str]:
    """One line for each kind of stages that was computed on different devices.

    Args:
        devices: (kind, id) of finished stages -> the device; None: not recorded
    """
    found: dict[str, Counter[str]] = {}
    for (kind, _), device in devices.items():
        if device is not None:
            found.setdefault(kind, Counter())[device] += 1
    return [
        f"{kind}: {' and '.join(f'{count} on {device}' for device, count in counts.most_common())}; "
        "results of different devices differ in their last digits, and training amplifies that"
        for kind, counts in found.items()
        if len(counts) > 1
    ]


def devices_of(markers: Iterable[Marker]) -> dict[tuple[str, str], str | None]:
    """The devices of finished stages in the form that ``mixed_devices`` takes."""
    return {(marker.kind, marker.id): marker.environment.get("device") for marker in markers}

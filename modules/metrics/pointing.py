"""Pointing game and energy: how well a map localizes a region that is known to be relevant.

The pointing game (Zhang et al., "Top-down Neural Attention by Excitation Backprop", IJCV 2018) tests whether the maximum is in
the region; the energy (Wang et al., "Score-CAM", 2020, Section 4.3) is the share of the map in the region.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modules.metrics.baselines import baselines
from modules.metrics.intervals import wilson
from modules.metrics.pixel_replacement import to_images
from modules.metrics.resampling import against, mean_interval


def hits(maps: np.ndarray, regions: np.ndarray, tolerance: float = 0.0) -> np.ndarray:
    """float64 (N,): 1 if the maximum is in the region, or at most ``tolerance`` pixels from it, else 0.

    For several equal maxima, the fraction that hits (the expectation of a random choice); a constant map scores the region's
    fraction of the image.

    Args:
        maps: (N, h, w), resized to the regions' size
        regions: bool (N, H, W), True in the relevant region
        tolerance: in pixels, between pixel centers

    Raises:
        ValueError: a region is empty, or a map contains NaN or infinity.
    """
    from scipy.ndimage import distance_transform_edt

    wide = _enlarged(maps, regions)
    found = np.empty(len(wide))
    for row, (one, region) in enumerate(zip(wide, np.asarray(regions, bool), strict=True)):
        near = region if tolerance == 0 else distance_transform_edt(~region) <= tolerance
        found[row] = near[one == one.max()].mean()
    return found


def energies(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """float64 (N,): the share of the map's sum inside the region; negative values count as 0.

    A map without positive values scores the region's fraction of the image, like a constant map.

    Arguments and errors as for ``hits``.
    """
    found = np.empty(len(maps))
    for row, (one, region) in enumerate(zip(_enlarged(maps, regions), np.asarray(regions, bool), strict=True)):
        positive = np.maximum(one, 0)
        total = positive.sum()
        found[row] = positive[region].sum() / total if total > 0 else region.mean()
    return found


def pointing(
    methods: Mapping[str, np.ndarray],
    regions: np.ndarray,
    *,
    tolerance: float = 0.0,
    resamples: int = 1000,
    seed: int = 0,
    center: float = 0.25,
) -> dict[str, Any]:
    """Evaluates every method and the baselines ``random``, ``constant`` and ``center``; returns a JSON value.

    ``methods[name]`` has ``pointing`` and ``energy``: ``value``, ``low``, ``high``, ``each``, the value of each image, and
    ``above``: the difference to each baseline with a paired bootstrap interval. The interval of ``pointing`` is Wilson's if
    every value is 0 or 1.
    ``empty`` counts maps without positive values.

    Args:
        methods: name -> maps (N, h, w), larger = more important
        regions: bool (N, H, W)
        tolerance: pixels
        resamples: number of bootstrap resamples over images
        seed: of the bootstrap and of the random baseline
        center: standard deviation of the center prior, in image heights and widths

    Raises:
        ValueError: as for ``hits``; or a method has the name of a baseline.
    """
    regions = np.asarray(regions, bool)
    count = len(regions)
    grounds = baselines(count, (regions.shape[1], regions.shape[2]), seed, center, methods)
    every = {**grounds, **methods}
    values = {
        "pointing": {name: hits(maps, regions, tolerance) for name, maps in every.items()},
        "energy": {name: energies(maps, regions) for name, maps in every.items()},
    }

    def interval(some: np.ndarray, difference: bool) -> dict[str, Any]:
        return mean_interval(some, np.zeros(count), resamples, seed, share=not difference)

    def entry(kind: str, name: str) -> dict[str, Any]:
        own, found = values[kind][name], against(values[kind], name, grounds, interval)
        if kind == "pointing" and np.isin(own, (0.0, 1.0)).all():
            found["low"], found["high"] = wilson(int(own.sum()), count)
        return found

    return {
        "images": count,
        "tolerance": tolerance,
        "area": float(regions.mean()),
        "methods": {
            name: {
                "baseline": name in grounds,
                "pointing": entry("pointing", name),
                "energy": entry("energy", name),
                "empty": int((np.asarray(maps).max(axis=(1, 2)) <= 0).sum()),
            }
            for name, maps in every.items()
        },
    }


def _enlarged(maps: np.ndarray, regions: np.ndarray) -> np.ndarray:
    assert len(maps) == len(regions), (len(maps), len(regions))
    empty = np.flatnonzero(~np.asarray(regions, bool).any(axis=(1, 2)))
    if len(empty):
        raise ValueError(f"{len(empty)} of {len(regions)} images have no region, the first is image {empty[0]}")
    return to_images(maps, (regions.shape[1], regions.shape[2]))

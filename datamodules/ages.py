"""Ages and genders as the attribute datasets tell them, and the columns made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datamodules.columns import Column

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")  # FairFace's; 70 is in the last
STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
GENDERS = ("Male", "Female")
OLDEST = 150  # years that are believed


def age_band(years: int) -> int:
    """Index into ``AGES`` of an age in years."""
    assert 0 <= years <= OLDEST, years
    return int(np.searchsorted(STARTS, years, side="right")) - 1


def age_columns(years: Sequence[int]) -> dict[str, Column]:
    """``age``, the bands of ages in years, and ``age_years``, the ages themselves."""
    bands = np.array([age_band(one) for one in years], np.int64)
    return {"age": Column(bands, AGES), "age_years": Column.number(years, "years")}


def classes(values: Sequence[int], names: tuple[str, ...]) -> Column:
    """A column of numbers of classes."""
    return Column(np.array(values, np.int64), names)

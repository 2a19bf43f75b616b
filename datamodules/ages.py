"""Age and gender labels of the attribute datasets, and the columns made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datamodules.columns import Column

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")  # FairFace's; the last includes 70
STARTS = (0, 3, 10, 20, 30, 40, 50, 60, 70)
GENDERS = ("Male", "Female")
OLDEST = 150  # largest age in years accepted as valid


def age_band(years: int) -> int:
    """Index into ``AGES`` of an age in years."""
    assert 0 <= years <= OLDEST, years
    return int(np.searchsorted(STARTS, years, side="right")) - 1


def age_columns(years: Sequence[int]) -> dict[str, Column]:
    """``age`` (bands) and ``age_years``, from ages in years."""
    bands = np.array([age_band(one) for one in years], np.int64)
    return {"age": Column(bands, AGES, ordered=True), "age_years": Column.number(years, "years")}


def classes(values: Sequence[int], names: tuple[str, ...], ordered: bool = False) -> Column:
    """A column of class indices, -1 where unknown."""
    return Column(np.array(values, np.int64), names, ordered=ordered)

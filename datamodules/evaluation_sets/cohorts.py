"""Cohorts of images: the classes of a column, or combinations of the classes of several columns (``race*gender``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from configs.data_interfaces import Column
from configs.lookup import nearest


def check_columns(names: Sequence[str], classes: Mapping[str, Any], who: str, dataset: str) -> None:
    """Raises ValueError unless all are columns with classes, of which there is at least one.

    Args:
        names: of the columns
        classes: of each column of the dataset; None: numbers
        who: asks for them, such as "stage differentials"
        dataset: in words, such as "the dataset of protocol lfw"
    """
    able = [name for name, known in classes.items() if known is not None]
    if not names:
        raise ValueError(f"{who}: {dataset} has no column with classes")
    for name in names:
        if name not in classes:
            raise ValueError(f"{who}: {name!r} in cohorts is no column of {dataset}{nearest(name, able)}")
        if classes[name] is None:
            raise ValueError(f"{who}: column {name!r} in cohorts has numbers, and cohorts are classes{nearest(name, able)}")


def parts(cohort: str) -> list[str]:
    """``race*gender`` -> ["race", "gender"]."""
    return [part.strip() for part in cohort.split("*")]


def combined(columns: Mapping[str, Column], cohort: str) -> tuple[np.ndarray, list[str]]:
    """(class of each image, int64 (N,), -1 if unknown; names of the classes) of a column or a combination of columns."""
    index, names = np.zeros(0, np.int64), [""]
    for number, part in enumerate(parts(cohort)):
        column = columns[part]
        assert column.classes is not None, part
        if number == 0:
            index, names = np.asarray(column.values, np.int64), list(column.classes)
            continue
        unknown = (index < 0) | (column.values < 0)
        index = np.where(unknown, -1, index * len(column.classes) + column.values)
        names = [f"{one} x {other}" for one in names for other in column.classes]
    return index, names

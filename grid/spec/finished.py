"""A finished stage as reports and tracking read it, wherever it is stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grid.spec.stage_name import StageName


@dataclass(frozen=True)
class Finished:
    """A stage that has a marker.

    Attributes:
        facts: what the stage said of itself, small enough for a marker
        outputs: the names of its files
        path: where a file is; raises Damaged where it is not what the marker says
        json: the value of a JSON file, errors as ``path``
    """

    label: StageName
    facts: Mapping[str, Any]
    outputs: Collection[str]
    path: Callable[[str], Path]
    json: Callable[[str], Any]

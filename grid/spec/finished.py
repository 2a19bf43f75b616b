"""A finished stage as read by reports and tracking, independent of where it is stored."""

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
        facts: small results reported by the stage, stored in the marker
        outputs: the names of its files
        path: returns the path of a file; raises Damaged if it differs from the marker
        json: returns the value of a JSON file; errors as for ``path``
    """

    label: StageName
    facts: Mapping[str, Any]
    outputs: Collection[str]
    path: Callable[[str], Path]
    json: Callable[[str], Any]

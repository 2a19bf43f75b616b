"""Rules by which combinations of levels are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from configs.component import Config
from grid.spec.levels import selects


class Skip(Config):
    """Cells that are not run, and why: ``when`` maps axes to a level or a list of levels."""

    when: dict[str, tuple[str, ...]]
    because: str = Field(min_length=1)

    @field_validator("when", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not value:
            raise ValueError("maps axes to a level or a list of levels; an empty rule would skip every cell")
        return {axis: [level] if isinstance(level, str) else level for axis, level in value.items()}

    def applies(self, levels: Mapping[str, str]) -> bool:
        return selects(self.when, levels)

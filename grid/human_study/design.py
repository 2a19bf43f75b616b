"""The design of a human study: ``design.json`` in its bundle. It holds the truth about the pairs and is never served."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from grid.spec.grid_file import BadInput

DESIGN, PUBLIC, ANSWERS, TEXTS = "design.json", "public", "answers.sqlite", "texts.json"
PASSES = (1, 2)  # alone, then with maps


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pair(_Part):
    """A pair. Its id is random: participants see it, and it says nothing about the pair."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    left: str
    right: str
    same: bool
    score: float
    accepted: bool


class Group(_Part):
    """A group of participants and the maps that it sees; ``low`` and ``high`` are the one scale of all its maps."""

    letter: str = Field(pattern=r"^[A-Z]$")
    title: str
    map: str
    low: float
    high: float
    signed: bool
    config: dict[str, Any]


class Inclusion(_Part):
    """Which participants the second analysis keeps, declared before the study starts; the first analysis keeps everyone.

    Zhong and Deng kept 90 of 277 whose own accuracy was "around 75 %". The rule uses the first pass only, in which all groups
    do the same, so it cannot favor a group; but a participant kept for a lucky first pass
    regresses to the mean in the second.
    """

    low: float = Field(default=0.0, ge=0, le=1)  # accuracy of the first pass
    high: float = Field(default=1.0, ge=0, le=1)
    seconds: float = Field(default=0.0, ge=0)  # median time of an answer in the first pass

    @property
    def words(self) -> str:
        """The rule in words."""
        parts = []
        if self.low > 0 or self.high < 1:
            parts.append(f"accuracy of the first pass from {100 * self.low:g} % to {100 * self.high:g} %")
        if self.seconds:
            parts.append(f"median time of an answer in the first pass at least {self.seconds:g} s")
        return " and ".join(parts) or "everyone who finished"

    @property
    def everyone(self) -> bool:
        return self == Inclusion()


class Design(_Part):
    """A study as it was designed.

    Attributes:
        name: of the study; study, cell, protocol: where its pairs and its network are from
        threshold: the cosine from which the network accepts a pair
        rule: how the pairs were selected, see ``grid.human_study.selection``
        files: digest of every file that may be served, by its path under ``public``
    """

    version: int = Field(default=1, ge=1, le=1)
    name: str
    study: str
    cell: str
    protocol: str
    checkpoint: str
    threshold: float
    rule: dict[str, Any]
    inclusion: Inclusion
    groups: tuple[Group, ...] = Field(min_length=1)
    pairs: tuple[Pair, ...] = Field(min_length=2)
    files: dict[str, str]

    @cached_property
    def same(self) -> np.ndarray:
        """bool (N,): the truth, in the order of ``pairs``."""
        return np.array([pair.same for pair in self.pairs])

    @cached_property
    def network_correct(self) -> np.ndarray:
        """bool (N,): whether the network decides each pair correctly."""
        return np.array([pair.accepted == pair.same for pair in self.pairs])

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(group.letter for group in self.groups)

    def digest(self) -> str:
        """SHA-256 of the design, to which answers belong."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_design(bundle: Path) -> Design:
    """The design of a bundle.

    Raises:
        BadInput: there is none, or it is damaged.
    """
    file = bundle / DESIGN
    try:
        return Design.model_validate_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{bundle}: no bundle of a human study (no {DESIGN}); `facegrid study make STUDY` makes one") from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: {key_and_reason(error)}; make the bundle again with `facegrid study make`") from error


def key_and_reason(error: ValidationError | UnicodeDecodeError) -> str:
    """Why a file of the bundle is refused: the first invalid key and what is wrong with it."""
    if isinstance(error, UnicodeDecodeError):
        return f"the file: {error}"
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the file'}: {first['msg']}"

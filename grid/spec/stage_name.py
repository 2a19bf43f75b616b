"""The structured name of a stage within its cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHOWN_ID = 10  # characters of an id of a cell or a stage in messages and tables
_NAMES: dict[tuple[str, ...], StageName] = {}


class StageName(str):
    """The name of a stage within its cell: its kind, and the titles of its subjects. As text it is the label shown to users.

    ``StageName("score", "gradcam", "sanity")`` reads ``score:gradcam:sanity``. Use ``kind`` and ``titles``; the text is not
    parsed.
    """

    kind: str
    titles: tuple[str, ...]
    __slots__ = ("kind", "titles")

    def __new__(cls, kind: str, *titles: str) -> StageName:
        if (kind, *titles) not in _NAMES:  # a plan of 100,000 cells shares a few dozen of them
            name = super().__new__(cls, ":".join((kind, *titles)))
            name.kind, name.titles = kind, titles
            _NAMES[kind, *titles] = name
        return _NAMES[kind, *titles]

    def __reduce__(self) -> tuple[Any, ...]:
        return StageName, (self.kind, *self.titles)

    @property
    def about(self) -> str:
        """Its titles as text: "lfw view 1", "gradcam:sanity"; empty for kinds with one stage per cell."""
        return ":".join(self.titles)


# The built-in kinds that other code names; each is a file in grid/stages/kinds.
DETECT, DETECT_SHARD, PRETRAIN = "detect", "detect_shard", "pretrain"
SEARCH = StageName("search")
TRIAL = "trial"
TRAIN = StageName("train")  # a kind with one stage per cell: the stage's name is the kind's
EVALUATE, EXPLAIN, SCORE = "evaluate", "explain", "score"


def named(record: Mapping[str, Any], label: str) -> StageName:
    """The stage with this ``label`` in a study's record; records of version 0.1 contain only the label."""
    if parts := record.get("names", {}).get(label):
        return StageName(*parts)
    kind, _, about = label.partition(":")
    return StageName(kind, *(about.rsplit(":", 1) if kind == SCORE else [about] if about else []))

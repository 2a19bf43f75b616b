"""How a stage is called within its cell, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class StageName(str):
    """A stage within its cell: its kind, and the titles of what it is about. As text it is the label that people read.

    ``StageName("score", "gradcam", "sanity")`` reads ``score:gradcam:sanity``. Nothing parses that text: ask ``kind`` and
    ``titles``.
    """

    kind: str
    titles: tuple[str, ...]
    __slots__ = ("kind", "titles")

    def __new__(cls, kind: str, *titles: str) -> StageName:
        name = super().__new__(cls, ":".join((kind, *titles)))
        name.kind, name.titles = kind, titles
        return name

    def __reduce__(self) -> tuple[Any, ...]:
        return StageName, (self.kind, *self.titles)

    @property
    def about(self) -> str:
        """Its titles as text: "lfw view 1", "gradcam:sanity"; empty for stages that a cell has once."""
        return ":".join(self.titles)


TRAIN = StageName("train")


def named(record: Mapping[str, Any], label: str) -> StageName:
    """The stage that the record of a study calls ``label``; records of version 0.1 have nothing but the label."""
    if parts := record.get("names", {}).get(label):
        return StageName(*parts)
    kind, _, about = label.partition(":")
    return StageName(kind, *(about.rsplit(":", 1) if kind == "score" else [about] if about else []))

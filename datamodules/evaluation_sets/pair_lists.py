"""Protocols defined by a list of image pairs in a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from configs.component import LOCATION, Missing
from configs.data_interfaces import Manifest, ProtocolConfig
from datamodules.evaluation_sets.pairs import Pairs
from datamodules.list_readers.lfw import PairList


class ListedConfig(ProtocolConfig, ABC):
    """A protocol whose pairs are in list files, chosen by a subclass."""

    on_contradiction: Literal["refuse", "drop", "keep"] = "refuse"  # genuine pairs of two subjects, or impostor pairs of one

    @abstractmethod
    def lists(self) -> Sequence[PairList]:
        """The lists, in order.

        Raises:
            ValueError: a list is missing or invalid; gives the file and the line.
        """

    def lacking(self) -> Missing | None:
        """The list files that are not on disk; None if all are there."""
        return None

    def missing(self) -> Missing | None:
        """The files it needs that are not on disk; None if all are there."""
        return self.dataset().missing() or self.lacking()

    def pairs(self, manifest: Manifest) -> Pairs:
        if lacking := self.lacking():
            raise ValueError(str(lacking))
        return rows_of(self.lists(), manifest, self.on_contradiction)


class OneListConfig(ListedConfig, ABC):
    """A protocol with a single pair list, under its published name in ``root``."""

    published: ClassVar[str]  # the list's file name
    root: Annotated[Path, LOCATION]
    file: Annotated[Path | None, LOCATION] = None  # None: the published name in root

    def lacking(self) -> Missing | None:
        return None if self.list_file().is_file() else Missing(f"no list {self.list_file()}", self.how())

    def list_file(self) -> Path:
        return self.file or self.root / self.published


def rows_of(lists: Sequence[PairList], manifest: Manifest, on_contradiction: str) -> Pairs:
    """The pairs of the lists as rows of the manifest.

    Raises:
        ValueError: an image is not in the manifest; or a label contradicts the subjects' names and the policy is "refuse".
    """
    rows = {key: row for row, key in enumerate(manifest.keys)}
    found, odd = [], []
    for listed in lists:
        for one, other, genuine, part, line in listed.rows():
            for key in (one, other):
                if key not in rows:
                    raise ValueError(_absent(listed, line, key, manifest, rows))
            subjects = manifest.identities[rows[one]], manifest.identities[rows[other]]
            if (subjects[0] == subjects[1]) != genuine:
                odd.append(
                    f"{listed.file}, line {line}: calls {subjects[0]} and {subjects[1]} {'one subject' if genuine else 'two'}"
                )
                if on_contradiction == "drop":
                    continue
            found.append((rows[one], rows[other], genuine, part))
    if odd and on_contradiction == "refuse":
        total = sum(len(listed.left) for listed in lists)
        raise ValueError(
            f"{odd[0]}; {len(odd)} of {total} pairs contradict the names of the images' subjects; "
            "on_contradiction: drop leaves them out, keep believes the list"
        )
    return Pairs.of(found)


def _absent(listed: PairList, line: int, key: str, manifest: Manifest, rows: dict[str, int]) -> str:
    why = f"was skipped: {manifest.skipped[key]}" if key in manifest.skipped else "is not in the dataset"
    places = listed.places()
    count = sum(one not in rows for one in places)
    like = f", whose images are called {manifest.keys[0]} and so on" if len(manifest.keys) else ""
    return f"{listed.file}, line {line}: names the image {key}, which {why}{like}; {count} of {len(places)} images are absent"

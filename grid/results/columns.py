"""The columns of printed tables: which results they show, and in which format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from grid.results.result import Result
from grid.spec.measure import SHARE, UNBOUNDED, Range

CROSS_VALIDATED, BEST_THRESHOLD = "ten_fold", "best_threshold"  # the two accuracies, as metrics.json names them
VERIFICATION = "verification"  # the task of protocols with pairs of images


@dataclass(frozen=True)
class Column:
    """One measurement under one protocol."""

    protocol: str
    key: str  # key in metrics.json: best_threshold, ten_fold, eer, auc, val:<far>, or those of other tasks
    title: str
    percent: bool
    digits: int  # decimals that are printed
    lower_is_better: bool = False
    headline: bool = True  # also shown on a terminal
    task: str = VERIFICATION
    range: Range | None = None  # see ``Measure``

    @property
    def ends(self) -> Range:
        """The smallest and the largest value that its numbers can have, as far as known."""
        return self.range or (SHARE if self.percent else UNBOUNDED)

    @property
    def unit(self) -> str:
        """What follows a printed number."""
        return " %" if self.percent else ""

    @property
    def heading(self) -> str:
        """The title and the unit."""
        return self.title + (" [%]" if self.percent else "")

    def text(self, share: float) -> str:
        """A fraction as printed, without its unit."""
        return f"{share * (100 if self.percent else 1):.{self.digits}f}"

    def value(self, value: Result) -> str:
        return "" if value.value is None else self.text(value.value)

    def spread(self, value: Result) -> str:
        """The 95 % interval; empty if there is none."""
        if value.value is None or value.low is None or value.high is None:
            return ""
        return f"[{self.text(value.low)}, {self.text(value.high)}]"

    def seeds(self, value: Result) -> str:
        """Of a mean over replicates, its 95 % interval over replicates, such as ``seeds [84.1, 86.0]``; empty without."""
        if value.seeds_low is None or value.seeds_high is None:
            return ""
        return f"seeds [{self.text(value.seeds_low)}, {self.text(value.seeds_high)}]"

    def shown(self, value: Result | None) -> str:
        """The number and its intervals; a dash if there is none."""
        if value is None or value.value is None:
            return "–"
        return " ".join(text for text in (self.value(value), self.spread(value), self.seeds(value)) if text)


def intervals_note(replicated: bool) -> str:
    """What the brackets of a printed table are."""
    if not replicated:
        return "Brackets are 95 % intervals of each cell by itself (not paired)"
    return (
        "Numbers are means over replicates, each with two 95 % intervals of the cell by itself (not paired): in brackets over "
        'test items, for these trained networks; after "seeds" over replicates, on these test items. results.csv has each '
        "replicate"
    )


def listed(titles: Iterable[str]) -> str:
    """Titles or levels in a sentence; those that contain a comma are in quotes."""
    return ", ".join(json.dumps(title, ensure_ascii=False) if "," in title else title for title in titles)


def units_note(columns: Iterable[Column]) -> str:
    """The unit of the numbers of a table, such as "in %, except AUC"."""
    others = dict.fromkeys(column.title for column in columns if not column.percent)
    return f"in %, except {listed(others)}" if others else "in %"

"""Explanation scores as data: a table per kind of probes, a group per cell, a line per method and map.

A number beats the center baseline if the paired 95 % interval of their difference lies on the better side of 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from grid.results.by_cell import grouped_by_cell
from grid.results.explanation_scores import Scored, lower_is_better
from grid.results.rows import Row

CENTER = "center"
ORDER = ("hiding_game", "insertion", "deletion", "pointing")  # column order; others follow
NO_MAPS = "no_maps"


@dataclass(frozen=True)
class Number:
    """A table entry."""

    name: str  # such as "probability"
    value: float
    low: float | None = None
    high: float | None = None
    beats: bool = False  # the center baseline
    lower_is_better: bool = False

    @property
    def text(self) -> str:
        return f"{self.value:.3f}"

    @property
    def spread(self) -> str:
        return "" if self.low is None or self.high is None else f"[{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Heading:
    """A column: the ``place``-th headline number of the scores with that title."""

    score: str
    place: int
    title: str
    mixed: bool  # methods have numbers with different names here, so each entry shows its name
    lower_is_better: bool


@dataclass
class Line:
    """A method's map, or a baseline."""

    method: str
    map: str = ""
    baseline: bool = False
    numbers: dict[tuple[str, int], Number] = field(default_factory=dict)
    troubles: dict[str, tuple[str, str]] = field(default_factory=dict)  # score -> (state or code, reason)
    refused: str | None = None  # why the method gave no maps at all
    flags: tuple[str, ...] | None = None  # None: not checked
    seconds: float | None = None
    count: str = ""

    @property
    def title(self) -> str:
        return f"{self.method} {self.map}".rstrip()


@dataclass(frozen=True)
class Group:
    """A cell's lines: the baselines, then the methods by name."""

    row: Row
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """All cells' scores on probes of one kind: "images", "pairs", or "pairs of" a protocol named by explainers."""

    of: str
    headings: tuple[Heading, ...]
    groups: tuple[Group, ...]


def tables(found: Sequence[Scored]) -> list[Table]:
    """Tables for images, then pairs, then pairs of named protocols; kinds without scores are omitted."""
    made = []
    kinds = dict.fromkeys(one.of for one in found)
    for of in sorted(kinds, key=lambda kind: ("images", "pairs", kind).index(kind)):
        some = [one for one in found if one.of == of]
        groups = grouped_by_cell(some, lambda _: None)
        made.append(Table(of, _headings(some), tuple(Group(own[0].row, tuple(_lines(own))) for own in groups)))
    return made


def _headings(found: Sequence[Scored]) -> tuple[Heading, ...]:
    names: dict[tuple[str, int], list[str]] = {}
    lower: set[tuple[str, int]] = set()
    kinds: dict[str, str] = {}
    for one in found:
        if one.result is None:
            continue
        kinds.setdefault(one.score, str(one.result["score"]))
        for place, name in enumerate(one.result.get("headlines", ())):
            known = names.setdefault((one.score, place), [])
            if name not in known:
                known.append(name)
            if name in one.result.get("lower_is_better", ()):
                lower.add((one.score, place))
    order = sorted(names, key=lambda key: (ORDER.index(kinds[key[0]]) if kinds[key[0]] in ORDER else len(ORDER), key[1]))
    return tuple(
        Heading(score, place, number_title(score, names[score, place]), len(names[score, place]) > 1, (score, place) in lower)
        for score, place in order
    )


def number_title(score: str, names: Sequence[str]) -> str:
    """The title of a column: the score, and the name of its number unless there are several or it says the same."""
    plain = score[:1].upper() + score[1:].replace("_", " ")
    if len(names) > 1 or names[0] == score.lower():
        return plain
    return f"{plain} {names[0].upper() if names[0] == 'auc' else names[0]}"


def _lines(found: Sequence[Scored]) -> list[Line]:
    """The lines of one cell."""
    baselines: list[tuple[Line, list[str]]] = []
    lines: list[Line] = []
    for method in sorted({one.method for one in found}):
        some = [one for one in found if one.method == method]
        lines += _of_method(method, some)
        for name, numbers in _baselines(some).items():
            for line, owners in baselines:
                if line.method == name and all(line.numbers.get(key, one) == one for key, one in numbers.items()):
                    line.numbers.update(numbers)
                    owners.append(method)
                    break
            else:
                baselines.append((Line(name, baseline=True, numbers=dict(numbers)), [method]))
    order = list(dict.fromkeys(line.method for line, _ in baselines))
    baselines.sort(key=lambda one: order.index(one[0].method))
    for line, owners in baselines:  # methods with other probes or numbers have separate baselines
        others = [len(theirs) for other, theirs in baselines if other.method == line.method and other is not line]
        if others and len(owners) <= sum(others):  # the baselines shared by most methods are unlabeled
            line.map = f"of {', '.join(owners)}"
    return [line for line, _ in baselines] + lines


def _baselines(found: Sequence[Scored]) -> dict[str, dict[tuple[str, int], Number]]:
    made: dict[str, dict[tuple[str, int], Number]] = {}
    for one in found:
        for name, entry in (one.result or {}).get("baselines", {}).items():
            numbers = {key: replace(number, beats=False) for key, number in _numbers(one, name, entry).items()}
            made.setdefault(name, {}).update(numbers)
    return made


def _of_method(method: str, found: Sequence[Scored]) -> list[Line]:
    seconds = found[0].seconds
    refused = next((one.result["refused"] for one in found if one.result and one.state == "refused"), None)
    if refused and refused["code"] == NO_MAPS and all(one.state == "refused" for one in found):
        return [Line(method, refused=f"{refused['code']}: {refused['reason']}")]
    names = list(dict.fromkeys(name for one in found if one.result for name in one.result.get("maps", ()))) or [""]
    lines = []
    for name in names:
        line = Line(method, name, seconds=seconds)
        for one in found:
            if one.result is None or one.state == "refused":
                code = str((one.result or {}).get("refused", {}).get("code", one.state))
                line.troubles[one.score] = (code, str(one.reason))
                continue
            line.numbers.update(_numbers(one, name, one.result.get("maps", {}).get(name, {})))
            if "flags" in one.result:
                line.flags = (*(line.flags or ()), *one.result["flags"].get(name, ()))
        counts = [(one.result["count"], one.result.get("missing", 0)) for one in found if one.result and one.state == "done"]
        if counts:
            count, missing = max(counts)
            line.count = f"{count} of {count + missing}" if missing else str(count)
        lines.append(line)
    return lines


def _numbers(one: Scored, map: str, entry: Mapping[str, Any]) -> dict[tuple[str, int], Number]:
    assert one.result is not None
    made = {}
    for place, name in enumerate(one.result.get("headlines", ())):
        if value := entry.get(name):
            lower = lower_is_better(one.result, name, map)
            beats = beats_center(value, lower)
            made[one.score, place] = Number(name, value["value"], value.get("low"), value.get("high"), beats, lower)
    return made


def beats_center(value: Mapping[str, Any], lower_is_better: bool) -> bool:
    """Whether the paired interval of the difference to the center baseline excludes 0, on the better side."""
    above = value.get("above", {}).get(CENTER)
    if not above or above.get("low") is None:
        return False
    return bool(above["high"] < 0 if lower_is_better else above["low"] > 0)


def remark(number: Number, heading: Heading) -> str:
    """What an entry adds to its heading: the number's name, and which direction is better; often nothing."""
    other = number.lower_is_better != heading.lower_is_better
    words = [number.name if heading.mixed else "", ("less is better" if number.lower_is_better else "more is better") * other]
    return ", ".join(word for word in words if word)


def reasons(lines: Iterable[Line]) -> list[str]:
    """Why numbers are absent: a line per method and score."""
    told = []
    for line in lines:
        if line.refused:
            told.append(f"{line.method}: {line.refused}")
        told += [f"{line.method}, {score}: {reason}" for score, (_, reason) in line.troubles.items()]
    return list(dict.fromkeys(told))


def troubles(table: Table) -> list[str]:
    """``reasons`` for all cells, without methods that gave no map, which are already in the table."""
    return list(
        dict.fromkeys(one for group in table.groups for one in reasons(line for line in group.lines if not line.refused))
    )

"""Regular two-level fractional factorial designs: generators, defining relation, resolution, aliases.

Box, Hunter: The 2^(k-p) Fractional Factorial Designs. Technometrics 3 (1961). Montgomery: Design and Analysis of Experiments,
Chapter 8. Each axis is a factor; its first level is -1 and its second +1. A generator ``d: [a, b, c]`` sets d = a b c. An
effect is a bit mask of axes by position, and two effects are aliased if their product is a word of the defining relation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

MOST_AXES = 16
SEARCHED_AXES = 12  # more of them need stated generators
TRIED = 20_000  # partial designs that one number of runs is searched with


@dataclass(frozen=True)
class Fraction:
    """A regular fraction of a two-level design.

    Attributes:
        axes: names, in file order.
        generators: generated axis -> the axes whose product it is.
    """

    axes: tuple[str, ...]
    generators: Mapping[str, tuple[str, ...]]

    @property
    def runs(self) -> int:
        return int(2 ** (len(self.axes) - len(self.generators)))

    @property
    def words(self) -> list[int]:
        """The defining relation without the identity: 2^p - 1 masks, shortest first."""
        group = [0]
        for axis, factors in self.generators.items():
            word = self._mask((axis, *factors))
            group += [word ^ other for other in group]
        return sorted(group[1:], key=_rank)

    @property
    def resolution(self) -> int:
        """The length of the shortest word of the defining relation."""
        return min(word.bit_count() for word in self.words)

    def rows(self) -> Iterator[tuple[int, ...]]:
        """(axes,) of 0 for the first level and 1 for the second, for each run, in the order of the full design."""
        base = [axis for axis in self.axes if axis not in self.generators]
        found = []
        for chosen in itertools.product((0, 1), repeat=len(base)):
            levels = dict(zip(base, chosen, strict=True))
            for axis, factors in self.generators.items():
                low = sum(1 - levels[factor] for factor in factors)  # the product is -1 if the number of -1 is odd
                levels[axis] = 1 - low % 2
            found.append(tuple(levels[axis] for axis in self.axes))
        return iter(sorted(found))

    def aliases(self) -> list[tuple[tuple[str, ...], ...]]:
        """The alias sets of main effects and two-way interactions; members by number of axes, up to three.

        A set whose other members all have more than three axes is left out.
        """
        words, seen, found = self.words, set(), []
        for effect in _effects(len(self.axes)):
            if effect in seen:
                continue
            members = sorted((effect, *(effect ^ word for word in words)), key=_rank)
            seen.update(members)
            shown = tuple(self.names(one) for one in members if one.bit_count() <= 3)
            if len(shown) > 1:
                found.append(shown)
        return found

    def names(self, effect: int) -> tuple[str, ...]:
        """The axes of an effect."""
        return tuple(axis for place, axis in enumerate(self.axes) if effect >> place & 1)

    def _mask(self, axes: Sequence[str]) -> int:
        return sum(1 << self.axes.index(axis) for axis in axes)


def stated(axes: Sequence[str], generators: Mapping[str, Sequence[str]]) -> Fraction:
    """The fraction with these generators.

    Raises:
        ValueError: a generator names an unknown, generated or repeated axis, or two axes always change together.
    """
    for axis, factors in generators.items():
        for name in (axis, *factors):
            if name not in axes:
                raise ValueError(f"generators: unknown axis {name!r}; the axes are {', '.join(axes)}")
        if inner := [name for name in factors if name in generators]:
            raise ValueError(f"generators.{axis}: {inner[0]!r} is generated itself; use axes that are not")
        if len(set(factors)) < len(factors):
            raise ValueError(f"generators.{axis}: {', '.join(factors)} names an axis twice")
    found = Fraction(tuple(axes), {axis: tuple(factors) for axis, factors in generators.items()})
    if found.resolution < 3:
        word = found.names(found.words[0])
        both = " and ".join(word) + " would always change together" if len(word) == 2 else f"{word[0]} would never change"
        raise ValueError(f"generators: {both}; a main effect needs generators of two axes or more, and different ones")
    return found


@cache
def smallest(axes: tuple[str, ...], resolution: int) -> Fraction:
    """The smallest fraction of at least this resolution that the search finds; of several, that with the fewest short words.

    Raises:
        ValueError: no fraction has this resolution, or there are too many axes to search.
    """
    count = len(axes)
    if count > SEARCHED_AXES:
        raise ValueError(f"resolution is searched for up to {SEARCHED_AXES} axes; found {count}; state generators instead")
    for base in range(2, count):
        if 2**base < _fewest_runs(count, resolution):
            continue
        if found := _Search(base, count - base, resolution).best:
            generators = {
                axes[base + place]: tuple(axes[one] for one in range(base) if letters >> one & 1)
                for place, letters in enumerate(found)
            }
            return Fraction(axes, generators)
    raise ValueError(f"no fraction of {count} axes has resolution {resolution}; use a lower one, or design: product")


def _fewest_runs(axes: int, resolution: int) -> int:
    """Runs that estimate the effects that a design of resolution 3, 4, 5 or more keeps apart (Rao's bound)."""
    if resolution == 3:
        return 1 + axes
    return 2 * axes if resolution == 4 else 1 + axes + axes * (axes - 1) // 2


class _Search:
    """Depth-first search for generators; ``best`` has the letters of each generated axis, or None."""

    def __init__(self, base: int, generated: int, resolution: int) -> None:
        self.base, self.generated, self.resolution = base, generated, resolution
        letters = [one for one in range(1, 2**base) if one.bit_count() >= resolution - 1]
        self.candidates = sorted(letters, key=lambda one: (-one.bit_count(), _rank(one)))
        self.best: tuple[int, ...] | None = None
        self.pattern: list[int] = []  # number of words by length, of the best
        self.left = TRIED
        self._extend((), [0], 0)

    def _extend(self, chosen: tuple[int, ...], group: list[int], start: int) -> None:
        if len(chosen) == self.generated:
            pattern = [0] * (self.base + self.generated + 1)
            for word in group[1:]:
                pattern[word.bit_count()] += 1
            if self.best is None or pattern < self.pattern:
                self.best, self.pattern = chosen, pattern
            return
        for place in range(start, len(self.candidates)):
            if self.left == 0:
                return
            self.left -= 1
            word = self.candidates[place] | 1 << (self.base + len(chosen))
            new = [word ^ other for other in group]
            if min(one.bit_count() for one in new) >= self.resolution:
                self._extend((*chosen, self.candidates[place]), group + new, place + 1)


def _effects(axes: int) -> Iterator[int]:
    """Masks of all main effects, then of all two-way interactions."""
    for size in (1, 2):
        for chosen in itertools.combinations(range(axes), size):
            yield sum(1 << place for place in chosen)


def _rank(effect: int) -> tuple[int, list[int]]:
    """Fewer axes first, then by position."""
    return effect.bit_count(), [place for place in range(effect.bit_length()) if effect >> place & 1]

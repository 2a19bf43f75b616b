"""Whether data support a claim, contradict it, or do not resolve it.

A claim consists of steps, each a difference said to be above 0: neighbors of an order, or a cell and a limit. That at least m
of n steps hold is tested by the partial conjunction of their one-sided p values, (n - m + 1) p_(m) (Benjamini and Heller,
Biometrics 64, 2008, with Bonferroni); for m = n this is the largest p (Berger, Technometrics 24, 1982). That it is wrong,
so that n - m + 1 steps are reversed, is tested in the same way in the other direction. The p of a claim is twice the smaller of
both; p is corrected over all claims of a file (Holm).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from grid.analysis.claims import Cells, Claim, Claims, read_claims
from grid.analysis.comparisons import LEVEL
from grid.results.columns import Column
from grid.spec.grid_file import BadInput, check_level
from grid.spec.levels import cell_title, selects
from modules.metrics.paired_tests import Estimate, holm

Verdict = Literal["supported", "contradicted", "not resolved"]
NOTHING = "there are no results"


class Contrasts(Protocol):
    """Numbers of cells and the uncertainty of their weighted sums."""

    @property
    def means(self) -> list[float]: ...

    def estimate(self, weights: np.ndarray, offset: float = 0.0) -> Estimate | None: ...


@dataclass(frozen=True)
class Evidence:
    """One metric of the cells of a study or a table.

    Attributes:
        cells: levels of each cell.
        without: levels of each cell that was asked for and lacks the number.
        basis: what the uncertainty is of, such as "other test subjects"; empty if there is none.
    """

    column: Column
    axes: Mapping[str, Sequence[str]]
    cells: Sequence[Mapping[str, str]]
    contrasts: Contrasts
    basis: str
    without: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Step:
    """One difference that is above 0 if the claim holds; ``value`` is the number alone."""

    name: str
    value: float
    estimate: Estimate | None


@dataclass(frozen=True)
class Judged:
    """A claim and what the data say of it under one protocol.

    Attributes:
        needed: number of steps that must hold.
        unknown: number of further steps, which lack results.
        p: of the verdict, two-sided; None if no step has an uncertainty.
        adjusted: after Holm's correction over the claims of the file.
        why: why it cannot be judged; empty otherwise.
    """

    claim: Claim
    evidence: Evidence | None
    steps: tuple[Step, ...] = ()
    needed: int = 0
    unknown: int = 0
    p: float | None = None
    adjusted: float | None = None
    for_it: bool = False
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.adjusted is None or self.adjusted >= LEVEL:
            return "not resolved"
        return "supported" if self.for_it else "contradicted"

    @property
    def agreeing(self) -> int:
        """Number of steps that go the claimed way by the numbers alone."""
        return sum(step.value > 0 for step in self.steps)


def judge(claims: Claims, evidence: Sequence[Evidence]) -> list[Judged]:
    """Every claim under every protocol it is about.

    Raises:
        BadInput: a claim names an unknown metric, protocol, axis or level, or selects no cell.
    """
    found: list[Judged] = []
    for claim in claims.claims:
        about = _about(claim, evidence)
        found += [_one(claim, one) for one in about] or [Judged(claim, None, why=NOTHING)]
    tested = [one for one in found if one.p is not None]
    adjusted = dict(zip(map(id, tested), holm([one.p for one in tested if one.p is not None]), strict=True))
    return [replace(one, adjusted=adjusted.get(id(one))) for one in found]


def _about(claim: Claim, evidence: Sequence[Evidence]) -> list[Evidence]:
    if not any(one.cells for one in evidence):
        return []
    protocols = list(dict.fromkeys(one.column.protocol for one in evidence))
    if claim.protocol is not None and claim.protocol not in protocols:
        raise BadInput(f"claim {claim.claim!r}: no protocol {claim.protocol!r}; there are {', '.join(protocols) or 'none'}")
    chosen = [one for one in evidence if claim.protocol in (None, one.column.protocol)]
    metrics = list(dict.fromkeys(one.column.key for one in chosen))
    if claim.metric is None:
        first: dict[str, Evidence] = {}
        for one in chosen:
            first.setdefault(one.column.protocol, one)
        return list(first.values())
    if claim.metric not in metrics and any(one.cells for one in chosen):
        raise BadInput(f"claim {claim.claim!r}: no metric {claim.metric!r}; there are {', '.join(metrics) or 'none'}")
    return [one for one in chosen if one.column.key == claim.metric]


def _one(claim: Claim, evidence: Evidence) -> Judged:
    check_names(claim, evidence.axes)
    steps, unknown = _ordered(claim, evidence) if claim.order else _limited(claim, evidence)
    if not steps:
        return Judged(claim, evidence, unknown=unknown, why="no cell that it is about has a result")
    count = len(steps) + unknown
    needed = {"all": count, "most": count // 2 + 1}.get(str(claim.cells), claim.cells)
    assert isinstance(needed, int), claim
    if needed > count:
        raise BadInput(f"claim {claim.claim!r}: cells: {needed} of {count} cells; it is about {count}")
    if any(step.estimate is None for step in steps):
        return Judged(claim, evidence, tuple(steps), needed, unknown, why="the numbers have no uncertainty")
    ups, downs = ([*(one_sided(step, sign) for step in steps), *[1.0] * unknown] for sign in (1, -1))
    holds = partial_conjunction(ups, needed)
    fails = partial_conjunction(downs, count - needed + 1)
    return Judged(claim, evidence, tuple(steps), needed, unknown, min(2 * min(holds, fails), 1.0), None, holds < fails)


def check_names(claim: Claim, axes: Mapping[str, Sequence[str]]) -> None:
    """Raises BadInput for an axis or a level of a claim that a grid with these axes does not have."""
    for chosen in (claim.where, *claim.order):
        for axis, levels in chosen.items():
            for level in levels:
                check_level(axis, level, axes, f"claim {claim.claim!r}")
    for axis in claim.for_each:
        if axis not in axes:
            raise BadInput(f"claim {claim.claim!r}: for_each: no axis {axis!r}; there are {', '.join(axes)}")


def check_claims(file: Path, axes: Mapping[str, Sequence[str]]) -> None:
    """Checks ``launch.claims`` as far as it can be without results.

    Raises:
        BadInput: the file is wrong, or names what a grid with these axes does not have.
    """
    try:
        for claim in read_claims(file).claims:
            check_names(claim, axes)
    except BadInput as error:
        raise BadInput(f"launch.claims: {error}") from error


def one_sided(step: Step, sign: int) -> float:
    """p of "the step is not above 0" (``sign`` 1) or "not below 0" (-1)."""
    assert step.estimate is not None
    half = step.estimate.p / 2
    return half if sign * step.value > 0 else 1 - half


def partial_conjunction(p: Sequence[float], needed: int) -> float:
    """p of "fewer than ``needed`` of the n alternatives are true", valid under any dependence.

    Args:
        p: (n,) one-sided.
        needed: from 1 to n.
    """
    return float(min((len(p) - needed + 1) * sorted(p)[needed - 1], 1.0))


def _ordered(claim: Claim, evidence: Evidence) -> tuple[list[Step], int]:
    """Neighbors of the order at each combination of ``for_each``, and the number of those that lack results.

    Each set of cells is averaged over the same combinations of the other levels.
    """
    named = list(dict.fromkeys(axis for chosen in claim.order for axis in chosen))
    free = [axis for axis in evidence.axes if axis not in named and axis not in claim.for_each]
    asked = [*evidence.cells, *evidence.without]
    blocks: dict[tuple[str, ...], list[int]] = {}
    for number, levels in enumerate(asked):
        if selects(claim.where, levels) and any(selects(chosen, levels) for chosen in claim.order):
            blocks.setdefault(tuple(levels[axis] for axis in claim.for_each), []).append(number)
    sign = -1.0 if evidence.column.lower_is_better else 1.0
    steps, unknown = [], 0
    for block, members in blocks.items():
        found = _complete(members, asked, len(evidence.cells), named, free)
        sets = [[one for one in found if selects(chosen, asked[one])] for chosen in claim.order]
        if not all(sets):
            unknown += (len(sets) - 1) * any(one >= len(evidence.cells) for one in members)
            continue
        place = f" at {cell_title(dict(zip(claim.for_each, block, strict=True)))}" if block else ""
        for (better, ours), (worse, theirs) in itertools.pairwise(zip(claim.order, sets, strict=True)):
            weights = np.zeros(len(evidence.cells))
            weights[ours] += 1 / len(ours)
            weights[theirs] -= 1 / len(theirs)
            name = f"{_title(better)} over {_title(worse)}{place}"
            steps.append(_step(name, sign * weights, 0.0, evidence))
    return steps, unknown


def _complete(
    members: Sequence[int], asked: Sequence[Mapping[str, str]], there: int, named: Sequence[str], free: Sequence[str]
) -> list[int]:
    """The cells at those combinations of the free axes that have a result for every combination of the named axes.

    So each level of a set counts at the same levels of the other axes.

    Args:
        members: numbers of the cells that were asked for; those below ``there`` have results
    """
    wanted = {tuple(asked[one][axis] for axis in named) for one in members}
    places: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    of = {one: tuple(asked[one][axis] for axis in free) for one in members if one < there}
    for one, place in of.items():
        places.setdefault(place, set()).add(tuple(asked[one][axis] for axis in named))
    return [one for one, place in of.items() if places[place] == wanted]


def _limited(claim: Claim, evidence: Evidence) -> tuple[list[Step], int]:
    """Each cell and the limit, and the number of cells without a result."""
    limit, sign = (claim.below, -1.0) if claim.below is not None else (claim.above, 1.0)
    assert limit is not None
    steps = []
    for number, levels in enumerate(evidence.cells):
        if selects(claim.where, levels):
            weights = np.zeros(len(evidence.cells))
            weights[number] = sign
            steps.append(_step(cell_title(levels), weights, sign * limit, evidence))
    return steps, sum(selects(claim.where, levels) for levels in evidence.without)


def _step(name: str, weights: np.ndarray, offset: float, evidence: Evidence) -> Step:
    value = float(np.dot(weights, evidence.contrasts.means)) - offset
    return Step(name, value, evidence.contrasts.estimate(weights, offset))


def _title(chosen: Cells) -> str:
    return cell_title({axis: " or ".join(levels) for axis, levels in chosen.items()})

"""What the data say of a claim, in sentences and as records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grid.analysis import words
from grid.analysis.claim_verdicts import Judged, Step, one_sided
from grid.analysis.records import uncertainty


def reasons(one: Judged) -> str:
    """The numbers behind a verdict: how many differences go the claimed way, and the one that decides."""
    if not one.steps:
        return f"Cannot be judged: {one.why}."
    noun = "difference goes" if len(one.steps) == 1 else "differences go"
    kind = f"{noun} this way" if one.claim.order else ("cell is" if len(one.steps) == 1 else "cells are") + " on this side"
    of = "of which " if one.needed < len(one.steps) else ""
    wanted = "" if one.needed == len(one.steps) else f", {of}{one.needed} are needed"
    lacking = f" {one.unknown} of {len(one.steps) + one.unknown} lack results." if one.unknown else ""
    text = f"{one.agreeing} of {len(one.steps)} {kind} by the numbers alone{wanted}.{lacking}"
    if one.adjusted is None:
        return f"{text} Cannot be judged: {one.why}."
    return f"{text} {_deciding(one)} p {words.probability(one.adjusted)}."


def _deciding(one: Judged) -> str:
    step = decisive(one)
    if step is None:
        return "The missing results decide."
    assert one.evidence is not None
    assert step.estimate is not None
    column = one.evidence.column
    low, high = (words.difference(column, end) for end in (step.estimate.low, step.estimate.high))
    value = words.difference(column, step.value) + words.unit(column) + _side(one)
    if len(one.steps) == 1:
        return f"{value} [{low}, {high}]."
    return f"What decides: {step.name}, {value} [{low}, {high}]."


def _side(one: Judged) -> str:
    """Where a positive difference lies, for a claim about a limit."""
    if one.claim.order:
        return ""
    return " below the limit" if one.claim.below is not None else " above the limit"


def decisive(one: Judged) -> Step | None:
    """The step whose p decides: the ``needed``-th most certain in the direction of the smaller p; None if none does, since too
    many lack results.
    """
    ranks = {1: one.needed, -1: len(one.steps) + one.unknown - one.needed + 1}
    if one.p == 1 and max(ranks.values()) > len(one.steps):
        return None
    sign = 1 if one.for_it else -1
    return sorted(one.steps, key=lambda step: one_sided(step, sign))[ranks[sign] - 1]


def bases(found: Sequence[Judged]) -> str:
    """For which repetition of the study the verdicts hold."""
    known = dict.fromkeys(one.evidence.basis for one in found if one.evidence and one.evidence.basis)
    return "; ".join(known)


def claim_records(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """A record per claim and protocol, and in each its steps."""
    return [
        {
            "claim": one.claim.claim,
            "protocol": one.evidence.column.protocol if one.evidence else None,
            "metric": one.evidence.column.key if one.evidence else one.claim.metric,
            "verdict": one.verdict,
            "agreeing": one.agreeing,
            "needed": one.needed,
            "without_result": one.unknown,
            "p": one.p,
            "adjusted": one.adjusted,
            "holds_for": one.evidence.basis if one.evidence else "",
            "why": one.why,
            "steps": [{"step": step.name, "value": step.value, **uncertainty(step.estimate)} for step in one.steps],
        }
        for one in found
    ]

"""Selects the pairs of a human study, so that the network decides a wished share of them correctly.

Zhong and Deng (ICPR 2018, Section V.A) take 200 pairs of SLLFW of which their network decides 75 % correctly, so that
following the network makes no participant better. They do not say how the pairs were drawn; here it is at random, within each
outcome.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modules.metrics.decision_outcomes import OUTCOMES, outcomes


def select(
    scores: np.ndarray,
    same: np.ndarray,
    threshold: float,
    *,
    pairs: int = 200,
    accuracy: float = 0.75,
    balanced: bool = True,
    seed: int = 0,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Draws pairs of which the network decides the wished share correctly.

    Args:
        scores: (n,) cosines of all pairs
        same: bool (n,)
        threshold: of the cosine, from which a pair is accepted
        pairs: N
        accuracy: the share, from 0 to 1; N times it is rounded to a whole number
        balanced: correct decisions are half true accepts and half true rejects, wrong ones half false accepts and half false
            rejects. False: correct and wrong decisions are drawn from all such pairs
        seed: of the draw

    Returns:
        rows: int64 (N,), in random order, so that a position says nothing about an outcome
        rule: how they were selected, as JSON values

    Raises:
        ValueError: a number is out of range, or there are too few pairs of an outcome; says how many pairs are possible.
    """
    if pairs < 2:
        raise ValueError(f"--pairs {pairs}: a study needs at least 2")
    if not 0 <= accuracy <= 1:
        raise ValueError(f"--accuracy {accuracy:g}: give a share from 0 to 1, such as 0.75")
    found = outcomes(scores, same, threshold)
    there = [int((found == outcome).sum()) for outcome in range(4)]
    wanted = _wanted(pairs, accuracy, balanced)
    lacking = _lacking(wanted, there)
    if lacking:
        most = next((count for count in range(pairs - 1, 1, -1) if not _lacking(_wanted(count, accuracy, balanced), there)), 0)
        tips = [f"at most --pairs {most}"] if most else []
        tips += ["another --accuracy or --threshold", *(["--unbalanced"] if balanced else [])]
        raise ValueError(
            f"--pairs {pairs} at --accuracy {accuracy:g} need {lacking} at the threshold {threshold:.4g}; take "
            f"{', or '.join(tips)}"
        )
    generator = np.random.default_rng(seed)
    drawn = [generator.choice(np.flatnonzero(np.isin(found, group)), count, replace=False) for group, count in wanted]
    rows = generator.permutation(np.concatenate(drawn))
    taken = {OUTCOMES[outcome]: int((found[rows] == outcome).sum()) for outcome in range(4)}
    rule = {
        "pairs": pairs,
        "accuracy": accuracy,
        "balanced": balanced,
        "seed": seed,
        "threshold": threshold,
        "available": dict(zip(OUTCOMES, there, strict=True)),
        "selected": taken,
        "network_accuracy": (taken["true accept"] + taken["true reject"]) / pairs,
    }
    return rows.astype(np.int64), rule


def _wanted(pairs: int, accuracy: float, balanced: bool) -> list[tuple[tuple[int, ...], int]]:
    """How many pairs of which outcomes."""
    right = round(pairs * accuracy)
    wrong = pairs - right
    if not balanced:
        return [((0, 2), right), ((1, 3), wrong)]
    return [((0,), right - right // 2), ((2,), right // 2), ((1,), wrong // 2), ((3,), wrong - wrong // 2)]


def _lacking(wanted: list[tuple[tuple[int, ...], int]], there: list[int]) -> str:
    """The first outcome of which there are too few, in words; "" if there are enough."""
    for group, count in wanted:
        if (found := sum(there[outcome] for outcome in group)) < count:
            return f"{count} pairs of {' or '.join(OUTCOMES[outcome] for outcome in group)}, and there are {found}"
    return ""

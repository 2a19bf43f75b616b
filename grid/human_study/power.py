"""The power of a planned study: how often the test of the interaction finds a benefit of known size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from grid.human_study.benefit import benefit
from grid.human_study.choices import judged_same
from grid.human_study.raters import RANGE, Raters

BENEFITS = (0.0, 0.02, 0.04, 0.06, 0.08)
SIZES = (10, 20, 30, 50)  # participants per group
LEVEL = 0.05


def found_share(
    people: Raters, pairs: int, groups: int, size: int, gain: float, simulations: int, generator: np.random.Generator
) -> float:
    """Share of simulated studies in which the interaction of group and pass has p < 0.05; only the first group gains.

    Args:
        pairs: half of them genuine
        size: participants per group
        gain: of accuracy, as a share
    """
    same = np.arange(pairs) % 2 == 0
    asked = [chr(ord("A") + number) for number in range(groups)]
    letters = np.repeat(asked, size)
    gains = np.where(letters == "A", gain, 0.0)
    found = 0
    for _ in range(simulations):
        correct = judged_same(people.choices(same, gains, generator)) == same
        p = benefit(correct.mean(axis=2), letters, asked).p
        found += p is not None and p < LEVEL
    return found / simulations


def power_table(
    people: Raters,
    pairs: int,
    groups: int,
    simulations: int,
    seed: int,
    benefits: Sequence[float] = BENEFITS,
    sizes: Sequence[int] = SIZES,
) -> dict[str, Any]:
    """The power for several benefits and sizes of groups, as JSON values; a benefit of 0 gives the false positives.

    ``true_benefit`` is what was simulated: less than ``benefit`` where people are nearly perfect, see ``Raters.benefit``.
    """
    rows = []
    for number, gain in enumerate(benefits):
        row: dict[str, Any] = {"benefit": gain, "true_benefit": people.benefit(gain)}
        for size in sizes:
            generator = np.random.default_rng([seed, number, size])
            row[str(size)] = found_share(people, pairs, groups, size, gain, simulations, generator)
        rows.append(row)
    settings = {"pairs": pairs, "groups": groups, "simulations": simulations, "seed": seed, "accuracy": people.accuracy}
    return {**settings, "participants_per_group": list(sizes), "power": rows}


def power_lines(table: dict[str, Any]) -> list[str]:
    """The table as text."""
    sizes = table["participants_per_group"]
    lines = [
        f"share of {table['simulations']} simulated studies that find the benefit (p < {LEVEL:g}); {table['groups']} groups, "
        f"{table['pairs']} pairs; people alone {100 * table['accuracy']:g} %; a benefit of 0 shows the false positives",
        "benefit [points]  " + "".join(f"{f'{size} per group':>15}" for size in sizes),
    ]
    for row in table["power"]:
        asked, true = f"{100 * row['benefit']:g}", f"{100 * row['true_benefit']:.1f}"
        label = asked if float(asked) == float(true) else f"{true}, not {asked}"
        lines.append(f"{label:>16}  " + "".join(f"{f'{100 * row[str(size)]:.1f} %':>15}" for size in sizes))
    if any("not" in line for line in lines[2:]):
        lines.append(f"no participant's true accuracy is above {100 * RANGE[1]:g} %; people who are nearly perfect gain less")
    return lines

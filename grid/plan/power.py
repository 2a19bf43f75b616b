"""What the planned replicates and pairs of images can detect, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from grid.evaluation.task import evaluation_task
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import Plan
from grid.spec.levels import REPLICATE, other_levels
from grid.spec.replication import Replication
from modules.metrics.group_sequential import nominal_levels
from modules.metrics.power import LEVEL, accuracy_on_pairs, between_cells, between_levels, signed_rank_least, signed_rank_needed

DISAGREE = 0.1  # share of the pairs that just one of two networks decides correctly, as an example


def power_lines(plan: Plan, resolver: InputResolver) -> list[str]:
    """At the 5 % level with 80 % power: one line about seeds and one per protocol with pairs of images; nothing for one
    cell."""
    cells = dict.fromkeys(tuple(other_levels(cell.levels).items()) for cell in plan.cells if cell.cell)
    if len(cells) < 2:
        return []
    rule = plan.grid.spec.sequential
    seeds = _sequential(rule, list(cells)) if rule else _seeds(plan, len(cells))
    return [seeds, *_pairs(plan, resolver, len(cells))]


def _sequential(rule: Replication, cells: list[tuple[tuple[str, str], ...]]) -> str:
    """By the last look alone: those before add a little."""
    contrasts = rule.contrasts([dict(levels) for levels in cells])
    levels = nominal_levels(len(cells), contrasts, rule.looks)
    if rule.until.of == "means":
        return f"power, other seeds, sequential: intervals of {len(cells)} means; no difference is tested"
    least = between_cells(rule.at_most, levels[-1])
    return (
        f"power, other seeds, sequential: {rule.at_least} to {rule.at_most} replicates detect differences of two cells from "
        f"{least:.1f} standard deviations between seeds, with 5 % for any wrong one of {len(contrasts)} at any look"
    )


def _seeds(plan: Plan, cells: int) -> str:
    replicates = plan.grid.spec.most_replicates
    single = between_cells(replicates)
    if single is None:
        return (
            "power, other seeds: with one training per cell, no difference can be shown to hold for other seeds; "
            "`replicates: 5` repeats every cell"
        )
    count = cells * (cells - 1) // 2
    worst = between_cells(replicates, LEVEL / count)
    widest = max((len(levels) for axis, levels in plan.grid.axes.items() if axis != REPLICATE), default=1)
    design = plan.grid.spec.design
    alone = 1 if design.name == "one_at_a_time" else max(1, cells // widest)  # cells with the rarest level
    factor = between_levels(replicates, cells, alone) if design.clear(plan.grid.factors) else None
    text = f"power, other seeds: {replicates} replicates detect differences of two cells from {single:.1f} standard deviations"
    text += " between seeds"
    text += f" ({worst:.1f} if all {count} pairs of cells are tested, by Holm's correction)" if count > 1 else ""
    text += f", and of two levels of a factor from {factor:.1f}" if factor else ""
    if (least := signed_rank_least(replicates)) >= LEVEL:
        needed = signed_rank_needed()
        text += (
            f"; a signed-rank test of {replicates} replicates never reaches p < 0.05 (at best {least:.3f}; it needs {needed})"
        )
    return text


def _pairs(plan: Plan, resolver: InputResolver, cells: int) -> Iterator[str]:
    first = next(cell.cell for cell in plan.cells if cell.cell)
    count = cells * (cells - 1) // 2
    for protocol in first.protocols:
        if not evaluation_task(protocol.task).pairs:
            continue
        try:
            asked = resolver.kept_pairs(protocol, first)
        except (Blocked, ValueError, OSError):
            continue  # the images are not there, or were never read
        pairs, impostors = len(asked.same), int((~asked.same).sum())
        if not impostors:
            continue  # the evaluation refuses such a list
        alone, worst = (100 * accuracy_on_pairs(pairs, DISAGREE, level) for level in (LEVEL, LEVEL / count))
        rates = f"are reliable from {100 * (10 / impostors):.2g} %" if impostors > 10 else "are not reliable: they are too few"
        more = f" ({worst:.1f} for all {count} pairs of cells)" if count > 1 else ""
        yield (
            f"power, other test subjects, {protocol.title}: {pairs:,} pairs detect differences in accuracy from {alone:.1f} "
            f"points{more}, if two cells disagree on {100 * DISAGREE:.0f} % of the pairs and pairs share no subjects, more "
            f"otherwise; error rates of impostor pairs {rates}"
        )

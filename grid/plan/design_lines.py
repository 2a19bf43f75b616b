"""What the design of a grid cannot tell apart, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from grid.plan.plan import Plan
from grid.spec.design import Design
from grid.spec.fractional import Fraction
from grid.spec.levels import other_levels
from grid.terminal import counted

MOST_WORDS = 16  # words of a defining relation that are printed


def design_lines(plan: Plan) -> list[str]:
    """The design with its aliases; nothing for ``product``."""
    design, axes = plan.grid.spec.design, plan.grid.factors
    if design.name == "product":
        return []
    return [*_aliases(design, axes, design.size(axes)), *_skipped(plan)]


def _aliases(design: Design, axes: dict[str, tuple[str, ...]], size: int) -> list[str]:
    factors = [axis for axis, levels in axes.items() if len(levels) > 1]
    if design.name == "zip":
        changes = f"; all axes change together, so no effect can be attributed to one of them: {' = '.join(factors)}"
        return [f"design zip: {counted(size, 'combination')}{changes if len(factors) > 1 else ''}"]
    if design.name == "one_at_a_time":
        base = ", ".join(f"{axis}={design.base.get(axis, levels[0])}" for axis, levels in axes.items())
        return [
            f"design one_at_a_time: {counted(size, 'combination')} around {base}; no interaction can be estimated, and every "
            "effect is that at the base"
        ]
    return _fraction(design.fraction(axes), design.negligible)


def _fraction(found: Fraction, negligible: str | None) -> list[str]:
    generators = "; ".join(f"{axis} = {named(factors)}" for axis, factors in found.generators.items())
    words = [named(found.names(word)) for word in found.words]
    more = f" = ... ({len(words)} words)" if len(words) > MOST_WORDS else ""
    lines = [
        f"design fractional: {found.runs} of {2 ** len(found.axes)} combinations, resolution {found.resolution}: {generators}",
        f"defining relation: I = {' = '.join(words[:MOST_WORDS])}{more}",
    ]
    sets = found.aliases()
    if not sets:
        return [
            *lines,
            "main effects and two-way interactions are aliased with interactions of four axes or more only, which are "
            "assumed to be negligible",
        ]
    lines += [f"aliased: {' = '.join(map(named, members))}" for members in sets]
    lines.append("aliases of up to three axes are shown; of an aliased set only the sum can be estimated")
    unclear = [named(members[0]) for members in sets if len(members[0]) == 1 and any(len(one) == 2 for one in members)]
    if not unclear:
        return [*lines, "interactions of three axes or more are assumed to be negligible"]
    if negligible:
        return [
            *lines,
            "stated as negligible: two-way interactions; if they are not, the main effects that include them are wrong",
        ]
    return [
        *lines,
        f"the report will refuse the main effects that are aliased with two-way interactions ({', '.join(unclear)}): use "
        "design.resolution: 4, or state design.negligible: interactions if you know that they are",
    ]


def _skipped(plan: Plan) -> list[str]:
    skipped = {tuple(other_levels(cell.levels).values()) for cell in plan.cells if cell.cell is None}
    if not skipped:
        return []
    return [
        f"{counted(len(skipped), 'combination')} of the design skipped: more effects may be aliased than the design says; the "
        "report names those that cannot be estimated"
    ]


def named(axes: Sequence[str]) -> str:
    """An effect in the words of the analysis: ``a x b``."""
    return " x ".join(axes)

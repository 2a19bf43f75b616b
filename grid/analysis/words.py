"""What an analysis says, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from grid.analysis.analysis import MetricAnalysis, ProtocolAnalysis
from grid.analysis.comparisons import LEVEL, Comparisons
from grid.analysis.effects import Effects, TermEffect, named
from grid.analysis.records import cell_name
from grid.results.columns import Column
from grid.spec.levels import cell_title

FEW = 6  # items of a list that are written out


def difference(column: Column, value: float) -> str:
    """A difference as printed: ``+2.64`` points, or ``+0.026`` for metrics that are no percentages."""
    text = f"{value * (100 if column.percent else 1):+.{column.digits}f}"
    return text.replace("-", "−") if any(digit in text for digit in "123456789") else text[1:]


def unit(column: Column) -> str:
    return " points" if column.percent else ""


def probability(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> str:
    """Which factors matter under one metric, and for which repetition of the study that holds."""
    found = metric.effects
    if not found.terms:
        return "No effect can be estimated from these cells."
    if all(term.adjusted is None for term in found.terms):
        items = _no_items(protocol) or "pairs cannot be resampled for this number"
        return f"No test is possible: {_no_seeds(protocol, found)}, and {items}."
    clear = [term for term in found.terms if term.adjusted is not None and term.adjusted < LEVEL]
    if not clear:
        whose = " for both other test subjects and other seeds" if _both(found.terms) else _whose(found.terms)
        return f"No factor has a significant effect on {metric.column.title}{whose}."
    clear.sort(key=lambda term: -term.deviation)
    parts = [_effect(metric.column, term) for term in clear]
    others = len(found.terms) - len(clear)
    least = "significant for one of the two at most" if _both(found.terms) else "not significant"
    rest = f" The other {others} of {len(found.terms)} terms are {least}." if others else ""
    return f"By {metric.column.title}, {'; '.join(parts)}. This holds{_whose(clear)}.{rest}"


def ranking(protocol: ProtocolAnalysis, metric: MetricAnalysis) -> str:
    """Which cells are significantly better than others under one metric."""
    found = metric.comparisons
    assert found is not None
    differ = sum(pair.differs for pair in found.pairs)
    best = cell_name(protocol.cells[found.order[0]])
    beaten = sum(pair.differs for pair in found.pairs if pair.first == found.order[0])
    count, chosen = len(found.pairs), compared(found)
    if not differ and count == 1:
        return "The difference between the two cells is not significant." + chosen
    if not differ:
        return f"No cell is significantly better than another: none of the {count} differences is significant.{chosen}"
    if count == 1:
        return f"The better cell ({best}) is significantly better than the other." + chosen
    rivals = len(found.compared) - 1
    share = f"all {rivals}" if beaten == rivals else f"{beaten} of the {rivals}"
    ahead = f"The best cell ({best}) is significantly better than {share} others{' that are compared' if chosen else ''}"
    return f"{ahead}; of all {count} differences, {differ} {'is' if differ == 1 else 'are'} significant.{chosen}"


def compared(found: Comparisons) -> str:
    """Which cells are compared, as a further sentence; empty if all of them are."""
    cells, every = len(found.compared), len(found.order)
    if cells == every:
        return ""
    more = f" and {_counted(len(found.asked), 'cell')} asked for" if found.asked else ""
    return (
        f" Compared with each other are the best {cells - len(found.asked)} of {every} cells{more}: {len(found.pairs):,} of "
        f"{every * (every - 1) // 2:,} pairs, and p is corrected for these."
    )


def tied(found: Comparisons) -> Iterator[str]:
    """The tied sets by rank: ``no two of 1 to 4 differ significantly``."""
    rank = {number: place for place, number in enumerate(found.order, 1)}
    for run in found.tied:
        first, last = rank[run[0]], rank[run[-1]]
        if len(run) == 1:
            yield f"{first} differs significantly from all others"
        elif len(run) == 2:
            yield f"{first} and {last} do not differ significantly"
        elif last - first == len(run) - 1:
            yield f"no two of {first} to {last} differ significantly"
        else:  # cells asked for do not stand beside the best
            yield f"no two of {', '.join(str(rank[cell]) for cell in run[:-1])} and {last} differ significantly"


PAIRS = (
    "Two cells are compared by themselves, over subjects and seeds together; the section above tests a factor over all cells, "
    "over subjects and over seeds apart. So a factor may be significant where no two cells are, and the other way round."
)


def limits(protocol: ProtocolAnalysis) -> Iterator[str]:
    """What was judged, on which data, and what cannot be judged."""
    if protocol.seeds:
        counts = sorted(set(protocol.replicates))
        many = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        yield f"Seeds: {many} replicates per cell, compared within cells and replicates."
    else:
        yield (
            "Seeds cannot be judged: every cell was trained once. What another seed would change is in no interval and no p "
            "value here; replicates: 5 in the grid file repeats every cell."
        )
    if protocol.sequential:
        yield (
            "Results decided how many replicates each cell has, and no test over seeds in this section allows for that; the "
            "intervals of the section on sequential replication do."
        )
    if protocol.copies:
        yield (
            f"{_counted(protocol.copies, 'replicate')} repeated the output of another one exactly (they share the stage that "
            "replicates vary) and were left out: a copy is no evidence."
        )
    if reason := _no_items(protocol):
        yield f"Test items cannot be judged: {reason}."
    elif protocol.unknown:
        yield (
            f"Test items: {protocol.pairs} pairs, resampled as if they were independent, because their subjects are not known "
            f"here ({protocol.unknown}). Where pairs share subjects, these intervals are too narrow."
        )
    else:
        lost = f"; {protocol.left_out} more are not in every cell" if protocol.left_out else ""
        yield f"Test items: {protocol.units} subjects, resampled together for all cells, on {protocol.pairs} pairs{lost}."
    if protocol.missing:
        listed = [f"{cell_title(levels)}: {state}" for levels, state in protocol.missing[:FEW]]
        more = f"; and {len(protocol.missing) - FEW} more" if len(protocol.missing) > FEW else ""
        total = len(protocol.cells) + len(protocol.missing)
        yield (
            f"Not balanced: {len(protocol.missing)} of {total} combinations have no result ({'; '.join(listed)}{more}). "
            "Each effect is adjusted for the others (type III); it is that of the finished cells."
        )
    elif len(set(protocol.replicates)) > 1:
        yield "Not balanced: cells have different numbers of replicates. Each effect is adjusted for the others (type III)."
    if protocol.metrics:
        yield from _refused(protocol.metrics[0].effects, protocol.negligible)


def _refused(effects: Effects, negligible: bool) -> Iterator[str]:
    """What the cells cannot estimate, with what it is aliased with, and what to do."""
    for term, others in effects.dropped.items():
        aliases = ", ".join(map(named, others)) or "the mean"
        including = ", ".join(one.name for one in effects.terms if term in one.aliases)
        assumed = ", and the grid file states that it is negligible" if negligible else ""
        included = f"; what is shown for {including} includes it{assumed}" if including else ""
        yield f"{named(term)} cannot be estimated from these cells: it is aliased with {aliases}{included}."
    if any(len(term) == 1 and all(len(other) == 2 for other in others) for term, others in effects.dropped.items() if others):
        yield (
            "Main effects that are fully aliased with a two-way interaction have no estimate and no p value. Run a larger "
            "fraction (design.resolution: 4) or the missing combinations; or, if you know that these interactions are "
            "negligible, state it: design.negligible: interactions."
        )


def _effect(column: Column, term: TermEffect) -> str:
    if len(term.term) > 1:
        one, other = term.term
        return f"what {one} does depends on {other}{_or(term)}"
    parts = [f"{level.levels[0]} {difference(column, level.value)}" for level in term.levels[:FEW]]
    return f"{term.name}{_or(term)} matters ({', '.join(parts)}{unit(column)} from the mean)"


def _or(term: TermEffect) -> str:
    """What else an effect may be; empty for one without aliases."""
    return f" or {' or '.join(map(named, term.aliases))}, which the design cannot tell apart," if term.aliases else ""


def contributions(metric: MetricAnalysis, levels: Mapping[str, str], value: float) -> str:
    """What leads from the mean of all cells to the value of one of them: the main effects of its levels, the largest first,
    and the rest, which is interactions and chance. Empty without any main effect."""
    effects = [
        (f"{level.term[0]} {level.levels[0]}{' with aliases' if term.aliases else ''}", level.value)
        for term in metric.effects.terms
        for level in term.levels
        if len(level.term) == 1 and levels.get(level.term[0]) == level.levels[0]
    ]
    if not effects:
        return ""
    column, mean = metric.column, metric.effects.mean
    effects.sort(key=lambda one: -abs(one[1]))
    rest = value - mean - sum(effect for _, effect in effects)
    parts = [f"{name} {difference(column, effect)}" for name, effect in effects]
    refused = any(len(term) == 1 for term in metric.effects.dropped)
    parts.append(f"{'aliased effects, ' if refused else ''}interactions and chance {difference(column, rest)}")
    return (
        f"from the mean of all cells, {column.text(mean)}{column.unit}, to its {column.text(value)}{column.unit}"
        f"{', in' + unit(column) if column.percent else ''}: {', '.join(parts)}."
    )


def _no_seeds(protocol: ProtocolAnalysis, found: Effects) -> str:
    """Why seeds judge no effect."""
    if not protocol.seeds:
        return "every cell was trained once"
    return "cells differ equally in every replicate" if found.seed else "there are too few replicates"


def _no_items(protocol: ProtocolAnalysis) -> str:
    """Why test items judge no metric; empty if they judge some."""
    if protocol.pairs is None:
        return "there are no scored pairs that all cells share"
    return "there are too few subjects or pairs to resample" if protocol.units is None else ""


def _both(terms: Sequence[TermEffect]) -> bool:
    """Whether each is tested over subjects and over seeds; it is significant if both tests say so."""
    return all(term.items and term.seeds for term in terms)


def _whose(terms: Sequence[TermEffect]) -> str:
    if _both(terms):
        return " for other test subjects and for other seeds"
    subjects = all(term.items for term in terms)
    return " for other test subjects, with these trained networks" if subjects else " for other seeds, on these test items"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Prints a plan as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from grid.ledger.acceptance import accepted_lines
from grid.ledger.environments import mixed_devices
from grid.plan.determinism import determinism_lines
from grid.plan.devices import device_lines
from grid.plan.plan import BLOCKED, FAILED, PENDING, RUN, STALE, Plan, PlannedStage
from grid.spec.levels import other_levels
from grid.spec.replication import Granted
from grid.spec.stage_kind import stage_kind
from grid.spec.stage_name import SEARCH, SHOWN_ID, TRIAL
from grid.terminal import counted

COLORS = {
    "done": "green", "run": "cyan", "failed": "red", "stale": "yellow", "pending": "yellow", "blocked": "red", "skipped": "dim",
}  # fmt: skip
WORDS = {"run": "to run", "stale": "done (older code)"}  # how states are shown; as in status and reports, stale is done
LINES = 20  # most lines about changed stages
MANY = 200  # tables with more rows are not printed in full on a terminal


def plan_table(plan: Plan, costs: Mapping[str, Any]) -> Group:
    """Cells with their states and costs, shared stages, and what would run."""
    axes = list(plan.grid.axes)
    cells = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*axes, "id", "state"):
        cells.add_column(name)
    for name in ("parameters", "MFLOPs"):
        cells.add_column(name, justify="right")
    for cell in plan.cells[:MANY]:
        cost = costs["cells"].get(cell.id, {})
        numbers = (f"{cost['parameters']:,}", f"{cost['flops'] / 1e6:,.0f}") if cost else ("", "")
        state = Text(shown(cell.state), style=COLORS[cell.state])
        cells.add_row(*map(Text, cell.levels.values()), (cell.id or "")[:SHOWN_ID], state, *numbers)
    parts: list[Any] = [cells]
    if len(plan.cells) > MANY:
        parts.append(Text(f"... and {len(plan.cells) - MANY} more cells (all of them with --json)", style="dim"))
    listed = (RUN, STALE)  # the lines below name their stages
    reasons = Counter((cell.state, cell.reason) for cell in plan.cells if cell.reason and cell.state not in listed)
    for (why, reason), number in reasons.items():
        parts.append(Text.assemble((f"{why} ({number})", COLORS[why]), f": {reason}"))
    parts += [Text(line, style=COLORS[STALE]) for line in [*changes(plan), *accepted(plan)]]
    parts += [Text(line) for line in device_lines(plan)]
    parts += [Text(line, style=COLORS[FAILED]) for line in determinism_lines(plan)]
    devices = {(stage.stage, stage.id): stage.device for stage in plan.stages}
    parts += [Text(line, style=COLORS[STALE]) for line in mixed_devices(devices)]
    shared = [stage for stage in plan.stages if len(stage.cells) > 1 and stage_kind(stage.stage).listed]
    for stage in shared:
        words = f"shared {stage.label} {stage.id[:SHOWN_ID]}: {len(stage.cells)} cells, "
        parts.append(Text.assemble(words, (shown(stage.state), COLORS[stage.state])))
    parts += [Text(line) for line in searches(plan)]
    parts.append(Text(_total(plan, costs), style="bold"))
    if plan.grid.spec.most_replicates > 1:
        parts.append(Text(_replicates(plan)))
    return Group(*parts)


def searches(plan: Plan) -> list[str]:
    """What each search tries, and how many of its trainings would run: one line per search."""
    stages = {stage.id: stage for stage in plan.stages}
    found: dict[str, str] = {}
    for cell in plan.cells:
        if cell.cell is None or cell.cell.search is None or (id := cell.stages.get(SEARCH)) is None:
            continue
        search = cell.cell.search
        trials = [stages[one] for name, one in cell.stages.items() if name.kind == TRIAL]
        few = "at least " if search.asynchronous else ""
        counts = [f"{few if rung else ''}{search.places(rung)}" for rung in range(len(search.rungs))]
        steps = zip(counts, search.rungs, strict=True)
        rungs = ", ".join(f"{count} for {counted(epochs, 'epoch')}" for count, epochs in steps)
        todo = sum(stage.state == RUN for stage in trials)
        found.setdefault(
            id,
            f"search {id[:SHOWN_ID]} of {counted(len(stages[id].cells), 'cell')}: {search.trials} trials, {rungs}, by "
            f"{search.metric}: {todo} of {counted(len(trials), 'training')} to run",
        )
    return list(found.values())


def shown(state: str) -> str:
    """A state of a plan as it is shown."""
    return WORDS.get(state, state)


def state_counts(counts: Mapping[str, int]) -> str:
    """``2 done, 1 to run``: the numbers of cells by state."""
    return ", ".join(f"{number} {shown(state)}" for state, number in counts.items())


def changes(plan: Plan) -> list[str]:
    """Which finished stages no longer count or have other code now, and why: one line per reason."""
    lines: dict[tuple[str, str], list[PlannedStage]] = {}
    for stage in plan.stages:
        if stage.reason and stage.state in (RUN, STALE):
            lines.setdefault((stage.state, stage.reason), []).append(stage)
    said = [
        f"code changed since: {_stages(stages)}; the results stay in use, and --retry stale computes them again"
        if state == STALE
        else f"to run again: {_stages(stages)}: {reason}"
        for (state, reason), stages in lines.items()
    ]
    return (
        said if len(said) <= LINES else [*said[:LINES], f"... and {len(said) - LINES} more reasons (all of them with --json)"]
    )


def accepted(plan: Plan) -> list[str]:
    """Which results count although their code has changed, and why: one line per reason."""
    found: dict[str, list[PlannedStage]] = {}
    for stage in plan.stages:
        if stage.accepted:
            found.setdefault(stage.accepted, []).append(stage)
    return accepted_lines({why: [_stages(stages)] for why, stages in found.items()})


def _stages(stages: Sequence[PlannedStage]) -> str:
    """``train of 2 cells, evaluate:lfw of 1 cell``."""
    cells: dict[str, set[str]] = {}
    for stage in stages:
        label = stage.label if stage_kind(stage.stage).listed else stage.stage
        cells.setdefault(label, set()).update(stage.cells)
    return ", ".join(f"{label} of {counted(len(owners), 'cell')}" for label, owners in cells.items())


def _total(plan: Plan, costs: Mapping[str, Any]) -> str:
    counts = state_counts(plan.counts())
    kinds = [stage.stage for stage in plan.open]
    work = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    states = {cell.state for cell in plan.cells}
    if BLOCKED in states:
        would = "is refused while cells are blocked" + (f"; without them it would run {work}" if work else "")
    elif PENDING in states:
        would = f"would read the images{f', run {work},' if work else ''} and run the pending cells"
    else:
        first = "first " if work and costs.get("most") else ""  # more replicates may follow
        would = f"would {first}run {work or 'nothing'}"
    total = f"{counted(len(plan.cells), 'cell')}: {counts}. A launch {would}."
    if not costs["cells"]:
        return total  # no cell has an id yet, so no training is counted
    flops, disk = f"at most {_operations(costs['training_flops'])}", f"{costs['disk_bytes'] / 1e6:,.0f}"
    if most := costs.get("most"):  # replicates that may follow
        flops = f"{_operations(costs['training_flops'])} to {_operations(most['training_flops'])}"
        disk += f" to {most['disk_bytes'] / 1e6:,.0f}"
    return f"{total} All trainings: {flops}, about {disk} MB of weights and checkpoints."


def _operations(number: float) -> str:
    return f"{number / 1e12:,.1f} TFLOPs" if number >= 1e11 else f"{number / 1e9:,.1f} GFLOPs"


def _replicates(plan: Plan) -> str:
    number, scope = plan.grid.spec.most_replicates, " and ".join(plan.grid.spec.replicate_scope)
    if rule := plan.grid.spec.sequential:
        until, states = rule.until, _combinations(plan)
        what = {
            "pairs": "its differences from all other cells are clear",
            "neighbors": "its differences from cells that differ in one axis are clear",
            "means": "its mean is clear",
        }[until.of]
        ends = "the interval has" if until.of == "means" else "the interval excludes 0 or has"
        now, more = sum(one.count for one in states), sum(rule.at_most - one.count for one in states if not one.final)
        return (
            f"{rule.at_least} to {rule.at_most} replicates of each cell repeat {scope} under other seeds: one more until "
            f"{what} in {until.metric} ({ends} a half-width of at most {until.half_width:g}); "
            f"{sum(one.final for one in states)} of {counted(len(states), 'cell')} need no more; "
            f"{f'{now} to {now + more}' if more else now} replicates in all."
        )
    weak = "; fewer than 5 seeds reveal only large effects" if number < 5 else ""
    return f"{number} replicates repeat {scope} under other seeds{weak}."


def _combinations(plan: Plan) -> list[Granted]:
    """The replicates of each combination of this plan."""
    found = dict.fromkeys(tuple(other_levels(cell.levels).values()) for cell in plan.cells if cell.cell)
    return [plan.grid.replicates(levels) for levels in found]

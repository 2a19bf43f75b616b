"""The plan: every cell and every stage of a grid, with its state. It reads manifests and the ledger, and computes nothing."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from configs.component import canonical
from configs.lookup import known, nearest
from grid.ledger.ledger import Ledger, Marker, State, Status
from grid.plan.code_version import source_digest
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.replication import check_metric, combinations_of, granted, protocol_of
from grid.spec.cell import Cell
from grid.spec.cell_filter import check_cell_filter
from grid.spec.grid_file import BadInput, Grid
from grid.spec.levels import cell_title, selects
from grid.spec.replication import Granted, Replication
from grid.spec.stage_kind import TRAIN, Stage, StageName, built_in, cell_id, stage_kind, stages_of
from grid.spec.stage_name import EVALUATE

DONE, RUN, FAILED, STALE, SKIPPED = State.DONE, State.RUN, State.FAILED, State.STALE, State.SKIPPED
BLOCKED, PENDING = State.BLOCKED, State.PENDING


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Disables garbage collection: planning creates many long-lived objects, so scanning them, and torch, frees nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True)
class PlannedStage:
    """A node: what to compute, and for which cells."""

    id: str
    stage: str  # kind
    label: StageName  # within its first cell
    state: str
    reason: str | None
    needs: tuple[str, ...]
    cells: tuple[str, ...]
    source: str  # digest of the code
    node: Stage = field(repr=False)
    generation: int | None = None  # of the marker that determined the state
    accepted: str | None = None  # why a user accepted it although the code has changed since
    device: str | None = None  # that computed the result, if it is valid and that was recorded


@dataclass(frozen=True)
class PlannedCell:
    """A cell: one combination of levels."""

    id: str | None  # None: skipped, blocked or pending
    levels: Mapping[str, str]
    state: str
    reason: str | None
    stages: Mapping[StageName, str]  # label -> id
    cell: Cell | None = field(repr=False)

    @property
    def title(self) -> str:
        return cell_title(self.levels)


@dataclass(frozen=True)
class Plan:
    """A resolved grid over a ledger. Each command makes it once and passes it on."""

    grid: Grid
    cells: tuple[PlannedCell, ...]
    stages: tuple[PlannedStage, ...]
    resolver: InputResolver = field(repr=False, compare=False)  # the resolved inputs
    costs: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)  # see ``grid.plan.cost``, if computed

    @property
    def study(self) -> Path:
        return study_of(self.grid)

    @property
    def open(self) -> list[PlannedStage]:
        """Stages that a launch would run: missing ones that do not depend on a failed stage."""
        dead = {stage.id for stage in self.stages if stage.state == FAILED}
        found = []
        for stage in sorted(self.stages, key=lambda stage: stage_kind(stage.stage).order):
            if dead.intersection(stage.needs):
                dead.add(stage.id)
            elif stage.state == RUN:
                found.append(stage)
        return found

    def renewed(self) -> Plan:
        """The same cells and stages, with their current states in the ledger."""
        states = _States(Ledger(store_of(self.grid)))
        stages = _planned([(stage.node, stage.cells) for stage in self.stages], states)
        found = {stage.id: (State(stage.state), stage.reason) for stage in stages}
        cells = []
        for cell in self.cells:
            if cell.id is not None:
                state, reason = _cell_state([found[id] for id in cell.stages.values()])
                cell = replace(cell, state=state, reason=reason)
            cells.append(cell)
        return replace(self, cells=tuple(cells), stages=stages)

    def whole(self) -> Plan:
        """The plan of all cells of the grid, if this one covers only some."""
        return self if len(self.cells) == self.grid.size else make_plan(self.grid, None, self.resolver)

    def counts(self) -> dict[str, int]:
        """Number of cells by state."""
        states = [cell.state for cell in self.cells]
        order = (DONE, RUN, STALE, FAILED, PENDING, BLOCKED, SKIPPED)
        return {state: states.count(state) for state in order if state in states}

    @uncollected()
    def record(self) -> dict[str, Any]:
        """The JSON form: the output of ``plan --json`` (without cost) and the content of a study's plan.json."""
        return {
            "grid": self.grid.spec.name,
            "axes": {axis: list(levels) for axis, levels in self.grid.axes.items()},
            "replicates": self.grid.spec.most_replicates,
            "replicate_scope": list(self.grid.spec.replicate_scope),
            **self._replication(),
            "ensembles": [ensemble.model_dump(mode="json") for ensemble in self.grid.spec.ensembles],
            "cells": [
                {
                    "id": cell.id, "levels": dict(cell.levels), "state": cell.state, "reason": cell.reason,
                    "stages": dict(cell.stages),
                }
                for cell in self.cells
            ],
            "names": {label: [label.kind, *label.titles] for cell in self.cells for label in cell.stages},
            "stages": [
                {
                    "id": stage.id, "stage": stage.stage, "label": stage.label, "state": stage.state, "reason": stage.reason,
                    "needs": list(stage.needs), "cells": list(stage.cells),
                    **({"accepted": stage.accepted} if stage.accepted else {}),
                }
                for stage in self.stages
            ],
        }  # fmt: skip

    def _replication(self) -> dict[str, Any]:
        """The rule of sequential replication, for reports: with the compared cells and the title of the protocol."""
        rule, cells = self.grid.spec.sequential, [cell for cell in self.cells if cell.cell]
        first = cells[0].cell if cells else None
        if rule is None or first is None:
            return {}
        combinations = combinations_of([cell.levels for cell in cells])
        found = {"cells": combinations, "protocol": protocol_of(self.grid, rule, first)}
        return {"replication": {**rule.model_dump(mode="json"), **found}}


def study_of(grid: Grid) -> Path:
    """The study's folder."""
    return grid.spec.launch.study or Path("studies", grid.spec.name).absolute()


def store_of(grid: Grid) -> Path | str:
    """The ledger's location: a folder or a URL."""
    return grid.spec.launch.store or study_of(grid) / "store"


def _check_stage_resources(kinds: Iterable[str]) -> None:
    known_kinds = {kind.name for kind in built_in()} | set(known("stage"))
    for kind in kinds:
        if kind not in known_kinds and "." not in kind:
            raise BadInput(f"launch.stage_resources.{kind}: there is no such kind of stage{nearest(kind, known_kinds)}")


@uncollected()
def make_plan(grid: Grid, where: Mapping[str, Sequence[str]] | None = None, resolver: InputResolver | None = None) -> Plan:
    """The plan of a grid, or of the cells selected by ``where``.

    Raises:
        BadInput: two levels give the same cell, an impossible combination, training subjects in a protocol, ...
    """
    resolver = resolver or InputResolver(store_of(grid))
    check_cell_filter(where, grid.axes)
    _check_stage_resources(grid.spec.launch.stage_resources)
    states = _States(Ledger(store_of(grid)))
    rule = grid.spec.sequential
    if rule is None:
        return _plan(grid, where, resolver, states)
    while True:
        plan = _plan(grid, None, resolver, states)
        found = _granted(plan, rule, states.ledger)
        grown = any(grid.replicates(levels).count != one.count for levels, one in found.items())
        grid = replace(grid, granted=found)
        if not grown:
            return _plan(grid, where, resolver, states) if where else replace(plan, grid=grid)


def _granted(plan: Plan, rule: Replication, ledger: Ledger) -> dict[tuple[str, ...], Granted]:
    """The replicates that the results of a plan of the whole grid allow."""
    cells = [cell for cell in plan.cells if cell.cell is not None]
    if not cells or (first := cells[0].cell) is None:
        return {}
    check_metric(plan.grid, rule, first)
    protocol = protocol_of(plan.grid, rule, first)
    finished = {stage.id for stage in plan.stages if stage.state in (DONE, STALE)}
    evaluations = [(cell.levels, cell.stages.get(StageName(EVALUATE, protocol))) for cell in cells]
    return granted(plan.grid, rule, [(levels, id if id in finished else None) for levels, id in evaluations], protocol, ledger)


def _plan(grid: Grid, where: Mapping[str, Sequence[str]] | None, resolver: InputResolver, states: _States) -> Plan:
    cells: list[PlannedCell] = []
    stages: dict[str, tuple[Stage, list[str]]] = {}
    seen: dict[str, str] = {}
    for point in grid.combinations():
        if not selects(where, point.levels):
            continue
        if point.cell is None:
            cells.append(PlannedCell(None, point.levels, SKIPPED, point.skipped, {}, None))
            continue
        title = cell_title(point.levels)
        try:
            resolver.check(point.cell)
            nodes = stages_of(point.cell, resolver)
        except Blocked as blocked:
            # without content, identical folders cannot be recognized, so paths count here
            _refuse_twins(canonical(point.cell.model_dump(mode="json")), title, seen, grid)
            state = PENDING if blocked.unread else BLOCKED
            cells.append(PlannedCell(None, point.levels, state, str(blocked), {}, point.cell))
            continue
        except ValueError as error:
            raise BadInput(f"{grid.yaml_source.path}: cell {title}: {error}") from error
        _refuse_twins(" ".join(node.id for node in nodes), title, seen, grid)
        births = grid.spec.births
        factors = {axis: level for axis, level in point.levels.items() if births.get(axis) != level}
        id = cell_id(next(node for node in nodes if node.label == TRAIN), factors)
        for node in nodes:
            owners = stages.setdefault(node.id, (node, []))[1]
            if not owners or owners[-1] != id:
                owners.append(id)
        state, reason = _cell_state([(found.state, found.reason) for found in map(states.of, nodes)])
        cells.append(PlannedCell(id, point.levels, state, reason, {node.label: node.id for node in nodes}, point.cell))
    owned = [(node, tuple(dict.fromkeys(owners))) for node, owners in stages.values()]
    return Plan(grid, tuple(cells), _planned(owned, states), resolver)


def _planned(nodes: Iterable[tuple[Stage, tuple[str, ...]]], states: _States) -> tuple[PlannedStage, ...]:
    """``nodes``: each with the cells it belongs to."""
    found = []
    for node, cells in nodes:
        status = states.of(node)
        found.append(
            PlannedStage(
                node.id, node.kind, node.label, status.state, status.reason, node.needs, cells, states.source(node), node,
                status.generation, status.accepted,
                status.marker.environment.get("device") if status.valid and status.marker else None,
            )
        )  # fmt: skip
    return tuple(found)


def _refuse_twins(key: str, title: str, seen: dict[str, str], grid: Grid) -> None:
    if key in seen:
        twins = f"{seen[key]} and {title}"
        raise BadInput(f"{grid.yaml_source.path}: two combinations give the same cell: {twins}; remove a level or skip one")
    seen[key] = title


def _cell_state(states: Sequence[tuple[State, str | None]]) -> tuple[State, str | None]:
    for state in (FAILED, RUN, STALE):
        reasons = [reason for found, reason in states if found == state]
        if reasons:
            return state, next((reason for reason in reasons if reason), None)
    return DONE, None


class _States:
    """The status of nodes, each looked up once."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.known: dict[str, frozenset[str]] = {}  # kind -> ids that may have a marker
        self.found: dict[str, Status] = {}
        self.sources: dict[str, str] = {}

    def source(self, node: Stage) -> str:
        if node.id not in self.sources:
            self.sources[node.id] = source_digest(node.kind, node.config.values())
        return self.sources[node.id]

    def of(self, node: Stage) -> Status:
        if node.id not in self.found:
            self.found[node.id] = self._look(node)
        return self.found[node.id]

    def _look(self, node: Stage) -> Status:
        if node.kind not in self.known:
            self.known[node.kind] = frozenset(self.ledger.done_ids(node.kind))
        if node.id not in self.known[node.kind]:
            return Status(RUN)
        needs: dict[str, Marker | None] = {need: self.found[need].marker for need in node.needs if need in self.found}
        return self.ledger.status(node.kind, node.id, needs, self.source(node))

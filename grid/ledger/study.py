"""A study on disk: the plan it was launched with, and the state of each cell according to the ledger. Read-only."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from grid.ledger.acceptance import accepted_lines
from grid.ledger.ledger import Cause, Damaged, Failure, Ledger, Marker, State, Status
from grid.ledger.sealed import seal, unseal
from grid.ledger.store import LocalStore
from grid.ledger.study_store import store_path
from grid.spec.cell_filter import check_cell_filter, which
from grid.spec.finished import Finished
from grid.spec.grid_file import BadInput
from grid.spec.levels import cell_title, selects
from grid.spec.stage_kind import known_kind
from grid.spec.stage_name import StageName, named

Look = tuple[Status, Failure | None, int]  # a stage in the ledger: its last failure and number of attempts, too
KEYS = ("grid", "study_id", "axes", "cells", "hidden", "stages", "store")  # required in plan.json
PENDING = "pending"  # as in a plan: blocked until the images are read
RECORD, COPY = "plan.json", "plan.backup.json"  # the copy is read if the record is damaged or lost


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Stores a study's plan record and a copy of it."""
    data = seal(record, indent=1)
    for name in (RECORD, COPY):
        LocalStore(folder).put(name, data)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The plan record of a study, from the copy if the record is damaged; None if neither exists.

    Raises:
        BadInput: both are damaged.
    """
    store, errors = LocalStore(folder), []
    for name in (RECORD, COPY):
        if (data := store.get(name)) is None:
            continue
        try:
            record = unseal(data, folder / name, shared=True)
        except Damaged as error:
            errors.append(str(error))
            continue
        if name == COPY:
            why = errors[0] if errors else f"{folder / RECORD} is missing"
            logging.getLogger("facegrid").warning("%s; reading %s; launching the grid writes both again", why, COPY)
        return record
    if errors:
        raise BadInput(f"{errors[0]}; launching the grid writes it again")
    return None


@dataclass(frozen=True)
class CellView:
    """One cell of a study. ``markers`` has the finished stages by label, such as ``train`` or ``evaluate:lfw view 1``."""

    id: str | None  # None: skipped or blocked
    levels: Mapping[str, str]
    state: str  # done, run (something is missing), failed, skipped, blocked
    reason: str | None
    stages: Mapping[str, str] = field(default_factory=dict)  # label -> id
    markers: Mapping[str, Marker] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)  # the resolved cell; empty for skipped cells
    statuses: Mapping[str, Status] = field(default_factory=dict)  # label -> whether its result is valid, and why not
    hidden: bool = False  # the cell was removed from the grid file
    added: frozenset[str] = frozenset()  # labels of explanations that the grid does not request; no effect on the state

    @property
    def title(self) -> str:
        return cell_title(self.levels)

    @property
    def damage(self) -> dict[str, str]:
        """Label -> what is wrong, for stages whose marker or outputs are damaged."""
        return {label: str(one.reason) for label, one in self.statuses.items() if one.cause == Cause.DAMAGE}

    @property
    def accepted(self) -> dict[str, str]:
        """Label -> why a user accepted its result although the code has changed since."""
        return {label: one.accepted for label, one in self.statuses.items() if one.accepted}

    @property
    def names(self) -> tuple[StageName, ...]:
        """The labels of ``stages``, as structured names with kind and titles."""
        return tuple(label for label in self.stages if isinstance(label, StageName))

    @property
    def lost(self) -> dict[str, str]:
        """Label -> reason, for added explanations that could not be computed."""
        return {label: failure.error for label, failure in self.failures.items() if label in self.added}

    @property
    def metrics(self) -> dict[str, Any]:
        """Headline numbers by protocol: {"lfw view 1": {"best_threshold": 0.93, "eer": ..., "auc": ...}}.

        Those of a user-defined stage are under its heading.
        """
        found = {}
        for name in (name for name in self.names if name in self.markers):
            kind = known_kind(name.kind)
            if shown := kind.summary(self.markers[name].facts):
                found[kind.heading(name)] = dict(shown)
        return found


def accepted_of(cells: Sequence[CellView]) -> list[str]:
    """The results of these cells that were accepted although their code has changed: one line per reason."""
    found: dict[str, dict[str, set[str]]] = {}
    for cell in cells:
        for label, why in cell.accepted.items():
            found.setdefault(why, {}).setdefault(label, set()).add(cell.title)
    titled = {
        why: [
            f"{label} of {next(iter(titles)) if len(titles) == 1 else f'{len(titles)} cells'}" for label, titles in own.items()
        ]
        for why, own in found.items()
    }
    return accepted_lines(titled)


def finished(ledger: Ledger, label: StageName, marker: Marker) -> Finished:
    """A finished stage in the form its kind reads; damaged outputs raise Damaged when read."""
    return Finished(label, marker.facts, marker.outputs, partial(ledger.path, marker), partial(ledger.json, marker))


class Study:
    """A study's folder.

    Args:
        faces: False: reports show no face images.

    Raises:
        BadInput: the folder is not a study, its plan.json is damaged, or its store is not there.
    """

    def __init__(self, path: Path, faces: bool = True) -> None:
        self.path, self.faces = Path(path).absolute(), faces
        record = read_record(self.path)
        if record is None:
            raise BadInput(f"{path}: no study (it has no plan.json); `facegrid launch GRID` makes one")
        if absent := [key for key in KEYS if key not in record]:
            raise BadInput(f"{self.path / 'plan.json'}: damaged (no key {absent[0]}); launching the grid writes it again")
        self.record: dict[str, Any] = record
        self.store = store_path(self.path, self.record)
        self.ledger = Ledger(self.store)

    @property
    def name(self) -> str:
        return str(self.record["grid"])

    @property
    def id(self) -> str:
        return str(self.record["study_id"])

    @property
    def axes(self) -> dict[str, list[str]]:
        """Every factor with its levels, in the order of the grid file."""
        return dict(self.record["axes"])

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The publications that the grid file names, each with ``title``, ``authors`` and ``url``; see ``grid.spec.source``."""
        return list(self.record.get("sources") or ())

    @cached_property
    def cells(self) -> Sequence[CellView]:
        """The cells in the order of the plan, hidden ones last."""
        kinds = {stage["id"]: stage["stage"] for stage in self.record["stages"]}
        seen: dict[str, Look] = {}
        return [
            *(self._view(cell, kinds, seen, hidden=False) for cell in self.record["cells"]),
            *(self._view(cell, kinds, seen, hidden=True) for cell in self.record["hidden"]),
        ]

    @cached_property
    def shown(self) -> Sequence[CellView]:
        """The cells that are in the grid file."""
        return [cell for cell in self.cells if not cell.hidden]

    def only(self, where: Mapping[str, Sequence[str]], task: str) -> CellView:
        """The one cell that ``where`` selects; ``task`` is what needs it, such as "mine takes".

        Raises:
            BadInput: there is no such axis or level, or not exactly one cell is selected.
        """
        check_cell_filter(where, self.axes)
        found = [cell for cell in self.shown if selects(where, cell.levels)]
        if len(found) != 1:
            such = f"; choose one, such as {which(found[0].levels)}" if found else ""
            raise BadInput(f"--where selects {len(found)} cells of {self.path}, and {task} one cell{such}")
        return found[0]

    def _view(self, cell: Any, kinds: Mapping[str, str], seen: dict[str, Look], hidden: bool) -> CellView:
        added = frozenset(cell.get("added", ()))
        stages: dict[str, str] = {named(self.record, label): id for label, id in cell["stages"].items()}
        seen |= {id: self._look(kinds[id], id) for id in stages.values() if id not in seen}
        statuses = {label: seen[id][0] for label, id in stages.items()}
        markers = {label: status.marker for label, status in statuses.items() if status.marker}
        failures = {label: failure for label, id in stages.items() if (failure := seen[id][1])}
        state, reason = ("blocked" if cell["state"] == PENDING else cell["state"]), cell["reason"]
        if cell["id"] is not None:
            reason = None
            own = cell["stages"].keys() - added
            state = "failed" if failures.keys() & own else "done" if own <= markers.keys() else "run"
        if state == "failed":
            (label, failure), *more = ((label, failure) for label, failure in failures.items() if label not in added)
            reason = f"{label}: {failure.error}"
            if more:
                reason += f"; failed too: {', '.join(label for label, _ in more)}"
        attempts = {label: seen[id][2] for label, id in stages.items()}
        return CellView(
            cell["id"], cell["levels"], state, reason, stages, markers, failures, attempts, cell.get("config", {}), statuses,
            hidden, added,
        )  # fmt: skip

    def _look(self, kind: str, id: str) -> Look:
        status = self.ledger.status(kind, id)
        failure = self.ledger.failure(kind, id) if status.state == State.FAILED else None
        return status, failure, self.ledger.attempts(kind, id)

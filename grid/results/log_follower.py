"""Follows the log of a running study: a look reads only what may have changed since the one before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from grid.ledger.sealed import Damaged
from grid.ledger.study import RECORD, Study
from grid.ledger.workers import worker_alive
from grid.results.logs import LoggedStage, logged_stages, rows_of
from grid.results.running import held, launch_of, parts_at_work
from grid.spec.cell_filter import check_cell_filter
from grid.spec.stage_kind import known_kind

WHOLE = 60  # looks between two that read everything, in case finished stages are computed again


class LogFollower:
    """The new lines of a study, look by look.

    The first look and each ``WHOLE``-th one read all stages that have begun; the others those without a result or a failure.
    The study's record is read again when its file has changed.

    Args:
        where, stage: see ``logged_stages``

    Raises:
        BadInput: the folder is not a study, or has no such axis, level or stage.
    """

    def __init__(self, path: Path, where: Mapping[str, Sequence[str]] | None, stage: str | None) -> None:
        self.path, self.where, self.stage = path, where, stage
        self._record: tuple[int, int] | None = None
        self._seen: set[str] = set()
        self._final: set[str] = set()  # ids of stages with a result or a failure; their lines were read
        self._looks = 0
        self._renew()

    def look(self) -> tuple[list[dict[str, Any]], bool]:
        """The lines that were not there before, oldest first, and whether a launch or a worker was running before this look."""
        self._renew()
        if self._looks % WHOLE == 0:
            self._final.clear()
        self._looks += 1
        begun = [one for one in self._begun() if one.id not in self._final]
        leased = (held(self.study, one.name.kind, one.id) for one in begun)
        alive = launch_of(self.study) is not None or worker_alive(self.path)
        alive = alive or any(leased) or any(map(self._in_parts, self._stages))
        rows = []
        for one in begun:
            ended = self._ended(one)  # before its lines are read, so that none is missed
            if (chosen := self._chosen.get(one.id)) is not None:
                rows += rows_of(self.study.ledger, chosen)
            if ended:
                self._final.add(one.id)
        return sorted(self._fresh(rows), key=lambda row: row["time"]), alive

    @property
    def left(self) -> bool:
        """Whether any stage of the study had neither a result nor a failure at the last look."""
        return any(one.id not in self._final for one in self._stages)

    def _renew(self) -> None:
        stat = (self.path / RECORD).stat() if (self.path / RECORD).exists() else None
        record = (stat.st_mtime_ns, stat.st_size) if stat else None
        if record is None or record != self._record:
            self.study, self._record = Study(self.path), record
            check_cell_filter(self.where or {}, self.study.axes)
            self._stages = logged_stages(self.study, None, None)
            self._chosen = {one.id: one for one in logged_stages(self.study, self.where, self.stage)}

    def _begun(self) -> list[LoggedStage]:
        """The stages with anything in the ledger: one listing per kind."""
        known = {kind: frozenset(self.study.ledger.done_ids(kind)) for kind in {one.name.kind for one in self._stages}}
        return [one for one in self._stages if one.id in known[one.name.kind]]

    def _in_parts(self, stage: LoggedStage) -> bool:
        """Whether a process computes a part of it, such as a shard of a detection, which itself has not begun."""
        if stage.id in self._final or not known_kind(stage.name.kind).parts or self._ended(stage):
            return False
        return parts_at_work(self.study, stage.name.kind, stage.id) is not None

    def _ended(self, stage: LoggedStage) -> bool:
        ledger, kind = self.study.ledger, stage.name.kind
        try:
            return ledger.marker(kind, stage.id) is not None or ledger.failure(kind, stage.id) is not None
        except Damaged:
            return False

    def _fresh(self, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for row in rows:
            key = f"{row['id']} {row['attempt']} {row['time']} {row['message']}"
            if key not in self._seen:
                self._seen.add(key)
                found.append(row)
        return found

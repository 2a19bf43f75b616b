"""A study as it stands on disk: the plan it was launched with, and what the ledger says of each cell. Read only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grid.ledger import Damaged, Failure, Ledger, Marker
from grid.spec import BadInput
from grid.study_store import store_path

KEYS = ("grid", "study_id", "axes", "cells", "hidden", "stages", "store")  # without which plan.json cannot be read
PENDING = "pending"  # as in a plan: blocked until somebody reads the images


@dataclass(frozen=True)
class CellView:
    """One cell of a study. ``markers`` has the finished stages, by label, such as ``train`` or ``evaluate:lfw view 1``."""

    id: str | None  # None: skipped or blocked
    levels: Mapping[str, str]
    state: str  # done, run (something is missing), failed, skipped, blocked
    reason: str | None
    stages: Mapping[str, str]  # label -> id
    markers: Mapping[str, Marker]
    failures: Mapping[str, Failure]
    attempts: Mapping[str, int]
    config: Mapping[str, Any]  # the resolved cell; empty for skipped ones
    hidden: bool = False  # the cell left the grid file
    added: frozenset[str] = frozenset()  # labels of explanations that the grid does not ask for; they do not decide its state

    @property
    def title(self) -> str:
        return ", ".join(f"{axis}={level}" for axis, level in self.levels.items()) or "the only cell"

    @property
    def lost(self) -> dict[str, str]:
        """Label -> why, of the added explanations that came to nothing."""
        return {label: failure.error for label, failure in self.failures.items() if label in self.added}

    @property
    def metrics(self) -> dict[str, Any]:
        """Headline numbers by protocol: {"lfw view 1": {"oracle": 0.93, "eer": ..., "auc": ...}}."""
        return {
            label.partition(":")[2]: dict(marker.facts) for label, marker in self.markers.items() if marker.kind == "evaluate"
        }


class Study:
    """A study's folder.

    Args:
        faces: False: reports of it show nobody's face.

    Raises:
        BadInput: the folder is no study, its plan.json is damaged, or its store is not there.
    """

    def __init__(self, path: Path, faces: bool = True) -> None:
        self.path, self.faces = Path(path).absolute(), faces
        try:
            self.record: dict[str, Any] = json.loads((self.path / "plan.json").read_text(encoding="utf-8"))
            if not isinstance(self.record, dict) or (absent := [key for key in KEYS if key not in self.record]):
                raise ValueError(f"no key {absent[0]}" if isinstance(self.record, dict) else "no JSON object")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise BadInput(f"{path}: no study (it has no plan.json); `facegrid launch GRID` makes one") from error
        except ValueError as error:
            raise BadInput(f"{self.path / 'plan.json'}: damaged ({error}); launching the grid writes it anew") from error
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

    @cached_property
    def cells(self) -> Sequence[CellView]:
        """The cells in the order of the plan, hidden ones last."""
        kinds = {stage["id"]: stage["stage"] for stage in self.record["stages"]}
        seen: dict[str, tuple[Marker | None, Failure | None, int]] = {}
        return [
            *(self._view(cell, kinds, seen, hidden=False) for cell in self.record["cells"]),
            *(self._view(cell, kinds, seen, hidden=True) for cell in self.record["hidden"]),
        ]

    def _view(self, cell: Any, kinds: Mapping[str, str], seen: dict[str, Any], hidden: bool) -> CellView:
        markers, failures, attempts = {}, {}, {}
        added = frozenset(cell.get("added", ()))
        for label, id in cell["stages"].items():
            if id not in seen:
                seen[id] = self._look(kinds[id], id)
            marker, failure, count = seen[id]
            attempts[label] = count
            if marker:
                markers[label] = marker
            elif failure:
                failures[label] = failure
        state, reason = ("blocked" if cell["state"] == PENDING else cell["state"]), cell["reason"]
        if cell["id"] is not None:
            reason = None
            own = cell["stages"].keys() - added
            state = "failed" if failures.keys() & own else "done" if own <= markers.keys() else "run"
        if state == "failed":
            label, failure = next((label, failure) for label, failure in failures.items() if label not in added)
            reason = f"{label}: {failure.error}"
        return CellView(
            cell["id"],
            cell["levels"],
            state,
            reason,
            cell["stages"],
            markers,
            failures,
            attempts,
            cell.get("config", {}),
            hidden,
            added,
        )

    def _look(self, kind: str, id: str) -> tuple[Marker | None, Failure | None, int]:
        try:
            marker = self.ledger.marker(kind, id)
        except Damaged:
            marker = None
        return marker, None if marker else self.ledger.failure(kind, id), self.ledger.attempts(kind, id)

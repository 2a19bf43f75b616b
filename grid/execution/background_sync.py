"""Copies a study to MLflow while its cells run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from grid.abort import LaunchAborted
from grid.execution.sync_process import SyncProcess
from grid.ledger.study import Study
from grid.tracking.sync import MlflowSync
from grid.tracking.uri import remote

SYNC_SECONDS = 15.0  # between two passes, and longer after long ones:
SYNC_SHARE = 4.0  # times as long as the last pass, so that passes take a fifth of a processor at most


class BackgroundSync:
    """Passes over a study in the background, and one after the last cell; an MLflow outage never affects the launch.

    They run in another process: for thousands of cells a pass takes some hundred MB, and seconds in which the driver is to
    start cells. Where no cell runs there is only the last one, which runs here.

    Args:
        live: cells run meanwhile
        check: called before each cell is written; raises ``LaunchAborted`` if the study's lock was lost
    """

    def __init__(self, study: Path, tracking: str, live: bool, check: Callable[[], None] = lambda: None) -> None:
        self.passes: MlflowSync | SyncProcess = (
            SyncProcess(study, tracking, check) if live else MlflowSync(Study(study), tracking, check)
        )
        self.tracking = tracking
        self.said: list[str] = []  # messages about replaced or deleted runs
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._keep, daemon=True, name="facegrid-sync") if live else None

    def __enter__(self) -> BackgroundSync:
        if self.thread:
            self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Ends at once, also within a pass: the next launch or ``facegrid sync`` copies what is missing."""
        if isinstance(self.passes, SyncProcess):
            self.passes.end()
            self._join()
            self.passes.close()

    def _keep(self) -> None:
        took = 0.0
        while not self.stop.wait(max(SYNC_SECONDS, SYNC_SHARE * took)):
            began = time.monotonic()
            try:
                self.said += self.passes.once().said
            except LaunchAborted:
                return  # the main thread detects the lost lock itself
            took = time.monotonic() - began

    def _join(self) -> None:
        self.stop.set()
        if self.thread:
            self.thread.join()

    def finish(self) -> list[str]:
        """Runs the last pass, report included, and once more what it could not copy; returns what is left, and why."""
        self._join()
        result = self.passes.once(report=True)
        self.said += result.said
        if result.problems and not (result.unreachable and remote(self.tracking)):  # a store fails now and then
            result = self.passes.once(report=True)
            self.said += result.said
        return list(result.problems)

"""Makes the report of a study, and copies it to MLflow, unless both were made of exactly what is there now.

``made.json`` in the study records what they were made of. A report that was changed, or made by ``facegrid report``, is made
again, and so is one whose record is lost. A server of MLflow is always asked: only it knows what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from grid.ledger.sealed import seal, unsealed
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.report.made_of import digest_of, made_of
from grid.tracking.uri import database_file

MADE = "made.json"


class UpToDate:
    """The report and the copy in MLflow of one study, brought up to date in this order.

    Args:
        study: in its current state
        tracking: URI of MLflow
    """

    def __init__(self, study: Study, tracking: str) -> None:
        self.study, self.tracking = study, tracking
        self.page = study.path / "report/index.html"
        self.known = unsealed(LocalStore(study.path).get(MADE), MADE)  # nothing if it is lost or damaged
        self.made_of = made_of(study)

    def report(self, build: Callable[[Study], Path]) -> Path:
        """The path of the report's page, after ``build`` made it if anything has changed since."""
        if self._is(report=self._report()):
            return self.page
        page = build(self.study)
        self._note(report=self._report())
        return page

    def mlflow(self, copy: Callable[[], Sequence[str]]) -> Sequence[str]:
        """What could not be copied to MLflow; ``copy`` copies it if anything has changed since."""
        if self._is(mlflow=self._mlflow()):
            return []
        if problems := copy():
            return problems
        self._note(mlflow=self._mlflow())
        return []

    def _is(self, **now: str | None) -> bool:
        return None not in now.values() and now.items() <= self.known.items()

    def _note(self, **now: str | None) -> None:
        """Records what is there now. It was made of what was there at first: a change meanwhile makes it again next time."""
        if None not in now.values():
            self.known |= now
            LocalStore(self.study.path).put(MADE, seal(self.known))

    def _report(self) -> str | None:
        """Digest of the report's files and of what they are made of; None if there is none or that is unknown."""
        if self.made_of is None or not self.page.is_file():
            return None
        return digest_of([self.page.parent], [self.made_of])

    def _mlflow(self) -> str | None:
        """Digest of what a pass copies and of MLflow's database, if it is a file, as the pass left it."""
        database, report = database_file(self.tracking), self._report()
        if database is None or report is None or not database.is_file():
            return None
        beside = [database.with_name(f"{database.name}{end}") for end in ("-wal", "-journal")]
        return digest_of([database, *beside, self.study.path / "mlflow.json"], [report, self.tracking])

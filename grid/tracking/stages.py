"""Determines what a run lacks, stage by stage. The run's tag ``facegrid.synced.<stage>`` records how far it was copied."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from configs.component import digest, file_digest
from grid.ledger.attempt_log import SYSTEM
from grid.ledger.ledger import Damaged, Marker
from grid.ledger.study import CellView, Study, finished
from grid.spec.stage_kind import StageName, known_kind
from grid.spec.stage_name import EVALUATE, TRAIN
from grid.tracking.describe import run_note
from grid.tracking.files import failure_file, report_files, stage_files
from grid.tracking.metrics import SPEED, Point, curve, curve_digest, finals
from grid.tracking.names import safe, stage_key
from grid.tracking.record import KIND, LAYOUT, MODEL, NOTE, STUDY, VERSION, Record, Seen, stages_of
from grid.tracking.run import Change, Known, Replace
from grid.tracking.runs import Runs
from grid.tracking.system_metrics import system_points

EPOCHS = " epochs "


@dataclass
class Gathering:
    """Collects what the run of one cell lacks.

    Args:
        folder: an empty folder for the files.
        problems: receives descriptions of damage in the ledger; the other stages are still copied.
        lost: stages with files lost in MLflow; they are copied again.
        thorough: copied points are read back, in case they were changed.
        datasets: of the run.
        report: address of the report on MLflow's pages.
    """

    study: Study
    cell: CellView
    known: Known
    runs: Runs
    folder: Path
    problems: list[str]
    lost: Collection[str]
    thorough: bool
    datasets: Sequence[Seen]
    report: str | None
    change: Change = field(default_factory=Change)

    def gather(self) -> Change:
        """Everything that is missing.

        Raises:
            Replace: the run contains something that the ledger does not.
        """
        self.change.files = self.folder
        for label in self.cell.names:
            try:
                self._stage(label, self.cell.stages[label], self.cell.markers.get(label))
            except Damaged as damage:
                self.problems.append(f"{self.cell.title}: {label}: {damage}")
        self._system()
        for label in self.cell.names:
            failure = self.cell.failures.get(label)
            if failure is None:
                continue
            name = StageName("failure", label.kind, *label.titles)
            if self._lacks(name, str(failure.attempt)):
                write = partial(failure_file, self.study.ledger, label, self.cell.stages[label], failure, self.folder)
                self._put(name, str(failure.attempt), write)
        for part, value in {"config": self.cell.config, "stages": stages_of(self.cell)}.items():
            if self._lacks(StageName(part), content := digest(value)[:16]):
                self._put(StageName(part), content, partial(self._json, f"{part}.json", value))
        self._describe()
        if self.known.unsure_of_links:
            self.change.ticks[MODEL] = str(self.known.model)
        self.known.linked = None
        return self.change

    def _stage(self, label: StageName, id: str, marker: Marker | None) -> None:
        ledger, kind = self.study.ledger, known_kind(label.kind)
        have = self.known.tags.get(_tick(label))
        if marker is None:
            if kind.epochs:
                self._epochs(label, curve(ledger, label.kind, id, None), have, complete=False)
            return
        copied = have == marker.content
        links = self.known.unsure_of_links or self.known.linked is not None  # the model may lack what was copied before
        if copied and label in self.known.verified and label not in self.lost and not links:
            return
        if have is not None and not copied and EPOCHS not in have:
            raise Replace(f"{label} was computed again, with another result")
        if kind.epochs and (not copied or self.thorough):
            self._epochs(label, curve(ledger, label.kind, id, marker), have, complete=True)
        for point in finals(finished(ledger, label, marker), marker.finished):
            self.change.finals[point.key] = _dataset(label, self.datasets)
            if self.known.metrics.get(point.key, point.value) != point.value:
                raise Replace(f"its {point.key} is {self.known.metrics[point.key]!r} and should be {point.value!r}")
            if point.key not in self.known.metrics or self.known.lacks_link(point.key):
                self.change.points.append(point)
        if not copied or label in self.lost:
            self._put(label, marker.content, partial(stage_files, ledger, label, marker, self.folder))
        self.known.verified.add(label)

    def _system(self) -> None:
        """Adds the samples of the cell's own stages that have finished."""
        for label in self.cell.names:
            name, marker = StageName(SYSTEM, label.kind, *label.titles), self.cell.markers.get(label)
            if (
                marker is None
                or known_kind(label.kind).shared
                or name in self.known.verified
                or not self._lacks(name, marker.attempt)
            ):
                continue
            if points := system_points(self.study.ledger, marker.kind, marker, self.known.start):
                self.change.points += self.runs.missing(self.known, points)
                self.change.ticks[_tick(name)] = marker.attempt
            self.known.verified.add(name)

    def _lacks(self, label: StageName, content: str) -> bool:
        return self.known.tags.get(_tick(label)) != content or label in self.lost

    def _put(self, label: StageName, content: str, write: Callable[[], Mapping[str, str] | None]) -> None:
        """Adds the files of a stage and the tag that marks them as copied; ``write`` returns more tags."""
        before = set(_files(self.folder))
        self.change.tags |= write() or {}
        made = {name: path for name, path in _files(self.folder).items() if name not in before}
        self.change.owners |= {name: [path.stat().st_size, label] for name, path in made.items()}
        if self.known.tags.get(_tick(label)) != content:
            self.change.ticks[_tick(label)] = content

    def _json(self, name: str, value: Mapping[str, object]) -> None:
        (self.folder / name).write_text(json.dumps(value, indent=1, sort_keys=True), encoding="utf-8")

    def _describe(self) -> None:
        """Adds the description, if its content has changed."""
        contents = [(label, marker.content) for label, marker in self.cell.markers.items()]
        made_of = (self.cell.state, self.cell.reason, contents, self.report)
        if self.known.described == made_of:
            return
        self.known.described = made_of
        results: dict[StageName, Mapping[str, object]] = {}
        for label in self.cell.names:
            kind, marker = known_kind(label.kind), self.cell.markers.get(label)
            try:
                if marker and (result := kind.result(finished(self.study.ledger, label, marker))):
                    results[label] = result
            except Damaged:  # already listed in problems
                continue
        self.change.tags[NOTE] = run_note(self.study, self.cell, results, self.report)

    def _epochs(self, label: StageName, rows: list[list[Point]], have: str | None, *, complete: bool) -> None:
        """Adds the epochs that the run lacks. While a stage runs, its tag reads ``3 epochs <digest of their values>``."""
        known, done = self.known, 0
        running = have is not None and EPOCHS in have
        if have is not None and running:
            done, said = int(have.partition(" ")[0]), have.rpartition(" ")[2]
            if len(rows) < done:
                if complete:
                    raise Replace(f"{label} ended after {len(rows)} epochs, and the run has {done}")
                return  # an attempt is recomputing epochs that are already copied
            if curve_digest(rows[:done]) != said:
                raise Replace(f"{label} was computed again, and its first {done} epochs came out differently")
        wanted = [point for row in rows[done:] for point in row]
        if not wanted and not self.thorough:
            return
        there: dict[str, dict[int, float]] = {}
        if self.thorough or not (known.mine or label in known.compared) or (have is not None and not running):
            there = self.runs.history(known, {point.key for row in rows for point in row})
            values = {(point.key, point.step): point.value for row in rows for point in row if not point.key.endswith(SPEED)}
            for key, steps in there.items():
                for step, value in steps.items():
                    if not key.endswith(SPEED) and (complete or step < len(rows)) and values.get((key, step)) != value:
                        raise Replace(f"{label}: {key} is {value!r} at epoch {step} and should be {values.get((key, step))!r}")
            known.compared.add(label)
        self.change.points += [point for point in wanted if point.step not in there.get(point.key, {})]
        if rows and (have is None or running):
            self.change.ticks[_tick(label)] = f"{len(rows)}{EPOCHS}{curve_digest(rows)}"


def report_record(study: Study, report: Path, began: int | None) -> Record:
    """The summary run.

    Args:
        began: when the first cell began, in unix milliseconds. The summary is older, so that MLflow lists it last.
    """
    tags = {STUDY: study.id, KIND: "summary", LAYOUT: VERSION, "facegrid.state": "report"}
    tags |= {"facegrid.version": str(study.record["version"])}
    made = round(max((path.stat().st_mtime for path in _files(report).values()), default=0) * 1000)
    return Record("report", {}, tags, (), "FINISHED", made if began is None else min(made, began - 1000), made)


def gather_report(
    report: Path, known: Known, folder: Path, files: Callable[[Known], Mapping[str, int]] | None
) -> Change | None:
    """What the summary run lacks; None if it is complete.

    Args:
        files: reads which files MLflow has, and their sizes, in case some were lost.
    """
    paths = _files(report)
    if not paths:
        return None
    content = digest({name: file_digest(path) for name, path in paths.items()})
    if known.tags.get(_tick(StageName("report"))) == content and known.status == "FINISHED":
        there = files(known) if files else None
        sizes = {f"report/{name}": path.stat().st_size for name, path in paths.items()}
        if there is None or sizes.items() <= there.items():
            return None
    return Change(tags=report_files(report, folder), ticks={_tick(StageName("report")): content}, files=folder)


def _files(folder: Path) -> dict[str, Path]:
    """The files in a folder and below it, by their paths relative to it."""
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _dataset(label: StageName, datasets: Sequence[Seen]) -> Seen | None:
    """The dataset that the final metrics of a stage were measured on; None if the run has none for it."""
    if label == TRAIN:
        return next((seen for seen in datasets if seen.context == "training"), None)
    return next((seen for seen in datasets if seen.context == "testing" and StageName(EVALUATE, seen.name) == label), None)


def _tick(label: StageName) -> str:
    return safe(f"facegrid.synced.{stage_key(label)}")

"""What a run lacks, stage by stage. A tick ``facegrid.synced.<stage>`` on the run says up to where it was copied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from configs.component import digest
from grid.ledger.ledger import Damaged, Ledger, Marker
from grid.ledger.study import CellView, Study
from grid.tracking.files import failure_file, report_files, stage_files
from grid.tracking.names import safe, stage_key
from grid.tracking.record import KIND, SPEED, STUDY, Point, Record, curve, curve_digest, finals, kind_of
from grid.tracking.runs import Change, Known, Replace

History = Callable[[Known, Iterable[str]], dict[str, dict[int, float]]]
LEARNS = ("train", "pretrain")
EPOCHS = " epochs "


def gather(
    study: Study, cell: CellView, record: Record, known: Known, history: History, folder: Path, problems: list[str]
) -> Change:
    """What the run of a cell lacks.

    Args:
        folder: an empty one, for the files.
        history: reads points back from MLflow; asked where another process may have written some.
        problems: gets what is damaged in the ledger; the other stages are copied none the less.

    Raises:
        Replace: the run has something that the ledger has not.
    """
    change = Change(files=folder)
    for label, id in cell.stages.items():
        try:
            _stage(study.ledger, label, id, cell.markers.get(label), known, history, change)
        except Damaged as damage:
            problems.append(f"{cell.title}: {label}: {damage}")
    for label, failure in cell.failures.items():
        tick = _tick(f"failure:{label}")
        if known.tags.get(tick) != str(failure.attempt):
            failure_file(label, failure, folder)
            change.ticks[tick] = str(failure.attempt)
    config = digest(cell.config)[:16]
    if known.tags.get(_tick("config")) != config:
        (folder / "config.json").write_text(json.dumps(cell.config, indent=1, sort_keys=True), encoding="utf-8")
        change.ticks[_tick("config")] = config
    return change


def _stage(ledger: Ledger, label: str, id: str, marker: Marker | None, known: Known, history: History, change: Change) -> None:
    have = known.tags.get(_tick(label))
    if marker is None:
        if kind_of(label) in LEARNS:
            _epochs(label, curve(ledger, kind_of(label), id, None), have, False, known, history, change)
        return
    if have == marker.content:
        return
    if have is not None and EPOCHS not in have:
        raise Replace(f"{label} was computed again, with another result")
    kind = kind_of(label)
    if kind in LEARNS:
        _epochs(label, curve(ledger, kind, id, marker), have, True, known, history, change)
    said = {"evaluate": "metrics.json", "score": "score.json"}.get(kind)
    metrics = ledger.json(marker, said) if said else {}
    for point in finals(label, marker, metrics):
        if point.key not in known.metrics:
            change.points.append(point)
        elif known.metrics[point.key] != point.value:
            raise Replace(f"its {point.key} is {known.metrics[point.key]!r} and should be {point.value!r}")
    assert change.files is not None
    change.tags |= stage_files(ledger, label, marker, change.files)
    change.ticks[_tick(label)] = marker.content


def _epochs(
    label: str, rows: list[list[Point]], have: str | None, complete: bool, known: Known, history: History, change: Change
) -> None:
    """Adds the epochs that the run lacks. While a stage runs its tick reads ``3 epochs <digest of their values>``."""
    done = 0
    if have is not None and EPOCHS in have:
        done, said = int(have.partition(" ")[0]), have.rpartition(" ")[2]
        if len(rows) < done:
            if complete:
                raise Replace(f"{label} ended after {len(rows)} epochs, and the run has {done}")
            return  # an attempt works again on epochs that are copied already
        if curve_digest(rows[:done]) != said:
            raise Replace(f"{label} was computed again, and its first {done} epochs came out differently")
    wanted = [point for row in rows[done:] for point in row]
    if not wanted:
        return
    there: dict[str, dict[int, float]] = {}
    if not (known.mine or label in known.compared) or (have is not None and EPOCHS not in have):
        there = history(known, {point.key for point in wanted})
        values = {(point.key, point.step): point.value for row in rows for point in row if not point.key.endswith(SPEED)}
        for key, steps in there.items():
            for step, value in steps.items():
                if not key.endswith(SPEED) and (complete or step < len(rows)) and values.get((key, step)) != value:
                    raise Replace(f"{label} was computed again: epoch {step} has another {key}")
        known.compared.add(label)
    change.points += [point for point in wanted if point.step not in there.get(point.key, {})]
    if have is None or EPOCHS in have:
        change.ticks[_tick(label)] = f"{len(rows)}{EPOCHS}{curve_digest(rows)}"


def gather_report(study: Study, report: Path, known: Known | None, folder: Path) -> tuple[Record, Change | None]:
    """The summary run, and what it lacks; None where it has all."""
    files = sorted(path for path in report.rglob("*") if path.is_file())
    content = digest({path.relative_to(report).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    tags = {STUDY: study.id, KIND: "summary", "facegrid.state": "report", "facegrid.version": str(study.record["version"])}
    made = round(max((path.stat().st_mtime for path in files), default=0) * 1000)
    record = Record("report", {}, tags, (), "FINISHED", made, made)
    if not files or (known is not None and known.tags.get(_tick("report")) == content and known.status == "FINISHED"):
        return record, None
    return record, Change(tags=report_files(report, folder), ticks={_tick("report"): content}, files=folder)


def _tick(label: str) -> str:
    return safe(f"facegrid.synced.{stage_key(label)}")

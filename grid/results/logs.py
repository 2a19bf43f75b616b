"""What happened to the stages of a study, as lines in the order of time: from the records of the ledger and logged messages."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.lookup import nearest
from grid.ledger.attempt_log import read_log
from grid.ledger.attempt_times import devices_words
from grid.ledger.ledger import Ledger
from grid.ledger.sealed import Damaged, unseal
from grid.ledger.study import Study
from grid.secrets import masked_text
from grid.spec.grid_file import BadInput
from grid.spec.levels import cells_title, selects
from grid.spec.measure import is_number
from grid.spec.stage_name import StageName, named

END = re.compile(r"(failed|retry|done|void|accepted)-(\d+)\.json")
HIDDEN = (
    "epoch", "position", "whole", "time", "source", "inputs", "origin", "checkpoint", "sha256", "best_checkpoint",
    "best_sha256",
)  # fmt: skip


@dataclass(frozen=True)
class LoggedStage:
    """A stage with the title of its cells, see ``cells_title``."""

    name: StageName
    id: str
    cell: str


def logged_stages(study: Study, where: Mapping[str, Sequence[str]] | None, stage: str | None) -> list[LoggedStage]:
    """The chosen stages, whether they have begun or not, from the study's record alone; one that cells share, once.

    Args:
        stage: a label such as ``train`` or ``evaluate:lfw``, or its first part; None: all

    Raises:
        BadInput: no cell has such a stage.
    """
    cells = study.record["cells"]
    if stage is not None:
        _check_stage(study, [*cells, *study.record["hidden"]], stage)
    owners: dict[str, tuple[StageName, list[Mapping[str, str]]]] = {}
    for cell in cells:
        if not selects(where, cell["levels"]):
            continue
        for label, id in cell["stages"].items():
            name = named(study.record, label)
            if stage in (None, str(name), name.kind):
                owners.setdefault(id, (name, []))[1].append(cell["levels"])
    return [LoggedStage(name, id, cells_title(levels)) for id, (name, levels) in owners.items()]


def rows_of(ledger: Ledger, stage: LoggedStage) -> list[dict[str, Any]]:
    """The lines of one stage of a study, oldest first; none before its first attempt."""
    name, id = stage.name, stage.id
    if not ledger.attempts(name.kind, id):
        return []
    return [
        {"time": row.pop("time"), "level": row.pop("level"), "cell": stage.cell, "stage": str(name), "id": id, **row}
        for row in stage_log(ledger, name.kind, id)
    ]


def _check_stage(study: Study, cells: Iterable[Mapping[str, Any]], stage: str) -> None:
    names = {named(study.record, label) for cell in cells for label in cell["stages"]}
    known = sorted({*(str(name) for name in names), *(name.kind for name in names)})
    if stage not in known:
        raise BadInput(f"--stage {stage}: no cell of {study.path} has such a stage{nearest(stage, known)}")


def stage_log(ledger: Ledger, kind: str, id: str) -> list[dict[str, Any]]:
    """The lines of one stage, oldest first: attempts, epochs, messages, errors, results, and what became of them."""
    rows = [*_attempts(ledger, kind, id), *_ends(ledger, kind, id)]
    return sorted(rows, key=lambda row: row["time"])


def _attempts(ledger: Ledger, kind: str, id: str) -> Iterator[dict[str, Any]]:
    for claim in ledger.claims(kind, id):
        number, prefix = claim["number"], f"{kind}/{id}/{claim['folder']}"
        device = f", {claim['device']}" if claim.get("device") else ""
        several = f", on {words}" if (words := devices_words(claim)) else ""
        said = f"attempt {number} began on {claim.get('host')}{device}, process {claim.get('pid')}{several}"
        yield _row(claim["time"], "info", number, said, host=claim.get("host"), pid=claim.get("pid"))
        if origin := ledger.resumed_from(prefix):
            yield _row(claim["time"], "info", number, f"continues from attempt {int(origin['attempt'][:6])}")
        for row in ledger.attempt_events(prefix):
            numeric = {key: value for key, value in row.items() if key not in HIDDEN and is_number(value)}
            words = ", ".join(f"{key} {value:.4g}" for key, value in numeric.items())
            if "epoch" not in row:  # a detection, say, saves what it has found so far
                yield _row(row["time"], "info", number, f"saved its progress{f': {words}' if words else ''}", **numeric)
                continue
            what = f"epoch {row['epoch'] + 1}" + ("" if row.get("whole") else ", in part")
            yield _row(row["time"], "info", number, f"{what}{f': {words}' if words else ''}", **numeric, epoch=row["epoch"] + 1)
        for line in read_log(ledger.store, prefix):
            message = masked_text(str(line.pop("message")))
            yield _row(line.pop("time"), line.pop("level"), number, message, **line)
        if end := ledger.rescaled(prefix):
            yield _row(end["time"], "info", number, f"attempt {number} ended at a checkpoint, to go on with more devices")


def _ends(ledger: Ledger, kind: str, id: str) -> Iterator[dict[str, Any]]:
    for name in ledger.store.names(f"{kind}/{id}"):
        if (found := END.fullmatch(name)) is None:
            continue
        key = f"{kind}/{id}/{name}"
        try:
            record = unseal(ledger.store.get(key), name)
        except Damaged as error:
            stat = ledger.store.stat(key)
            yield _row((stat and stat.written) or time.time(), "error", None, str(error))
            continue
        yield _end(found[1], int(found[2]), record)


def _end(event: str, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
    if event == "failed":
        error, trace = masked_text(record["error"]), masked_text(record.get("traceback", ""))
        return _row(record["time"], "error", number, error, traceback=trace)
    if event == "retry":
        return _row(record["time"], "info", number, "the failure was cleared: it may be tried again")
    if event == "done":
        attempt, seconds = int(record["attempt"][:6]), record["finished"] - record["started"]
        return _row(record["finished"], "info", attempt, f"done in {seconds:.1f} s", facts=record["facts"])
    if event == "void":
        return _row(record["time"], "warning", None, f"its result no longer counts: {record['reason']}")
    return _row(record["time"], "info", None, f"accepted by {record['who']}: {record['because']}")


def _row(when: float, level: str, attempt: int | None, message: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "time": float(when), "level": level, "attempt": attempt, "message": message}


def line(row: Mapping[str, Any]) -> str:
    """One line for a terminal; a traceback follows on lines of its own."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["time"]))
    source = f"{row['source']}: " if row.get("source") else ""
    text = f"{when} {row['level']:<7} {row['cell']} {row['stage']}: {source}{row['message']}"
    return f"{text}\n{row['traceback'].rstrip()}" if row.get("traceback") else text

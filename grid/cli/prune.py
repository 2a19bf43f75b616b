"""The ``prune`` command: frees disk space that no result needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grid.terminal import AsJson, StudyFolder, answer, err, styled

if TYPE_CHECKING:
    from grid.ledger.lock import Lock
    from grid.ledger.study import Study
    from grid.tracking.prune import UnneededRun

DryRun = Annotated[bool, typer.Option("--dry-run", help="only show what would be deleted")]
Removed = Annotated[bool, typer.Option("--removed", help="also delete the results of cells that are no longer in the grid")]
SharedWith = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="STUDY", help="with --removed: another study that uses the same store; repeat the option to name all of them"
    ),
]

Tracking = Annotated[
    bool,
    typer.Option(
        "--mlflow", help="also delete MLflow runs of cells that are no longer in the grid, and files of replaced runs"
    ),
]


def prune(
    study: StudyFolder,
    dry_run: DryRun = False,
    removed: Removed = False,
    shared_with: SharedWith = None,
    mlflow: Tracking = False,
    as_json: AsJson = False,
) -> None:
    """Delete what no result needs: checkpoints of finished stages, replaced attempts.

    Results, learning curves and the checkpoints of unfinished stages stay. Exit code 1 if MLflow did not answer, or something
    could not be deleted.
    """
    from grid.ledger.lock import Lock
    from grid.ledger.prune import delete, note_spent, unneeded, without_removed
    from grid.ledger.store import LocalStore
    from grid.ledger.study import Study, write_record
    from grid.spec.grid_file import BadInput

    own = Study(study)
    name, others = own.name, {found.resolve(): found for found in (Study(path).path for path in shared_with or [])}
    others.pop(own.path.resolve(), None)  # it needs no mention
    paths = list(others.values())
    if shared_with and not removed:
        raise BadInput("--shared-with names studies that need results, and only --removed deletes results; add it")
    with ExitStack() as locks:
        lock = None if dry_run else locks.enter_context(Lock(LocalStore(Path(study)), f"prune of {name}"))
        for path in paths if lock else ():  # so that no launch begins to need what is deleted here
            locks.enter_context(Lock(LocalStore(path), f"prune of {name}", what=f"the study {path}"))
        found = Study(study)
        sharing = [Study(path) for path in paths]
        left, gone = without_removed(found, sharing) if removed else ({}, set())
        objects, problems = list(unneeded(found.ledger, gone)), []
        if not dry_run:
            note_spent([found, *sharing], objects)
            planned = objects
            objects, errors = delete(found.ledger.store, planned)
            if errors:
                size = _size(sum(one.bytes for one in planned) - sum(one.bytes for one in objects))
                said = f"{size} in {len(errors)} of {len(planned)} places could not be deleted ({errors[0]})"
                problems.append(f"{said}; correct that and prune again")
            elif left:  # last, so that what is left can be pruned again
                write_record(found.path, {**found.record, **left})
        runs, problem = _runs(found, lock) if mlflow else ([], None)
    freed: dict[str, int] = {}
    for what, count in [*((one.what, one.bytes) for one in objects), *((run.what, run.bytes) for run in runs)]:
        freed[what] = freed.get(what, 0) + count
    deleted = [{"prefix": one.prefix, "bytes": one.bytes, "what": one.what} for one in objects]
    in_mlflow = [{"run": one.run_id, "name": one.name, "bytes": one.bytes, "what": one.what} for one in runs]
    problems += [problem] if problem is not None else []
    facts: dict[str, Any] = {"dry_run": dry_run, "bytes": sum(freed.values()), "objects": deleted}
    facts |= {"mlflow": in_mlflow} if mlflow else {}
    facts |= {"problem": "; ".join(problems) or None} if mlflow or problems else {}
    answer(facts, as_json, _lines(freed, runs, dry_run))
    for problem in problems:
        err.print(styled("[red]facegrid:[/] {}", problem))
    raise typer.Exit(1 if problems else 0)


def _runs(study: Study, lock: Lock | None) -> tuple[list[UnneededRun], str | None]:
    """The runs that were deleted in MLflow, or would be without a lock; and what went wrong, if MLflow did not answer."""
    from grid.abort import LaunchAborted
    from grid.tracking.answers import sentence
    from grid.tracking.prune import prune_runs
    from grid.tracking.uri import tracking_of

    tracking, found = tracking_of(study), []
    try:
        for one in prune_runs(study, tracking, lock is None, lock.check if lock else lambda: None):
            found.append(one)
    except LaunchAborted:
        raise
    except Exception as error:
        return found, f"--mlflow: {sentence(error, tracking)}; prune again later"
    return found, None


def _lines(freed: Mapping[str, int], runs: Sequence[UnneededRun], dry_run: bool) -> Iterator[str]:
    for what, size in freed.items():
        yield f"{_size(size):>10}  {what}"
        yield from (f"{'':>12}{run.title}" for run in runs if run.what == what)
    total = _size(sum(freed.values()))
    yield f"{total} would be freed; run it without --dry-run" if dry_run else f"{total} freed"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"

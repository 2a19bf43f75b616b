"""The ``prune`` command: frees disk space that no result needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

    Results, learning curves and the checkpoints of unfinished stages stay. Exit code 1 if MLflow did not answer.
    """
    from grid.ledger.lock import Lock
    from grid.ledger.prune import unneeded, without_removed
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
        lock = locks.enter_context(Lock(LocalStore(Path(study)), f"prune of {name}"))
        for path in paths:  # so that no launch begins to need what is deleted here
            locks.enter_context(Lock(LocalStore(path), f"prune of {name}", what=f"the study {path}"))
        found = Study(study)
        record, gone = without_removed(found, [Study(path) for path in paths]) if removed else (found.record, set())
        freed: dict[str, int] = {}
        objects = list(unneeded(found.ledger, gone))
        if removed and not dry_run:
            write_record(found.path, record)
        for one in objects:
            freed[one.what] = freed.get(one.what, 0) + one.bytes
            if not dry_run:
                found.ledger.store.delete(one.prefix)
        runs, problem = _runs(found, dry_run, lock) if mlflow else ([], None)
    for run in runs:
        freed[run.what] = freed.get(run.what, 0) + run.bytes
    deleted = [{"prefix": one.prefix, "bytes": one.bytes, "what": one.what} for one in objects]
    in_mlflow = [{"run": one.run_id, "name": one.name, "bytes": one.bytes, "what": one.what} for one in runs]
    tracked = {"mlflow": in_mlflow, "problem": problem} if mlflow else {}
    facts = {"dry_run": dry_run, "bytes": sum(freed.values()), "objects": deleted, **tracked}
    answer(facts, as_json, _lines(freed, runs, dry_run))
    if problem is not None:
        err.print(styled("[red]facegrid:[/] {}", problem))
        raise typer.Exit(1)


def _runs(study: Study, dry_run: bool, lock: Lock) -> tuple[list[UnneededRun], str | None]:
    """The runs that were deleted in MLflow, or would be; and what went wrong, if MLflow did not answer."""
    from grid.abort import LaunchAborted
    from grid.tracking.answers import sentence
    from grid.tracking.prune import prune_runs
    from grid.tracking.uri import tracking_of

    tracking, found = tracking_of(study), []
    try:
        for one in prune_runs(study, tracking, dry_run, lock.check):
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

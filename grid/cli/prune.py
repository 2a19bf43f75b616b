"""The ``prune`` command: frees disk space that no result needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, out

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", readable=False, help="a study's folder, such as studies/demo")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be deleted")]
Removed = Annotated[
    bool, typer.Option("--removed", help="also the results of cells that are no longer in the grid; not from a shared store")
]


def prune(study: StudyFolder, dry_run: DryRun = False, removed: Removed = False, as_json: AsJson = False) -> None:
    """Delete what no result needs: checkpoints of finished stages, replaced attempts.

    Results, learning curves and the checkpoints of unfinished stages stay.
    """
    from grid.ledger.lock import Lock
    from grid.ledger.prune import unneeded, without_removed
    from grid.ledger.store import LocalStore
    from grid.ledger.study import Study, write_record

    name = Study(study).name
    with Lock(LocalStore(Path(study)), f"prune of {name}"):
        found = Study(study)
        record, gone = without_removed(found) if removed else (found.record, set())
        freed: dict[str, int] = {}
        objects = list(unneeded(found.ledger, gone))
        if removed and not dry_run:
            write_record(found.path, record)
        for one in objects:
            freed[one.what] = freed.get(one.what, 0) + one.bytes
            if not dry_run:
                found.ledger.store.delete(one.prefix)
    if as_json:
        deleted = [{"prefix": one.prefix, "bytes": one.bytes, "what": one.what} for one in objects]
        print(json.dumps({"dry_run": dry_run, "bytes": sum(freed.values()), "objects": deleted}, indent=1))
        return
    for what, size in freed.items():
        out.print(f"{_size(size):>10}  {what}")
    total = _size(sum(freed.values()))
    out.print(f"{total} would be freed; run it without --dry-run" if dry_run else f"{total} freed", highlight=False)


def _size(size: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size = size / 1024  # type: ignore[assignment]
    return f"{size:.1f} GiB"

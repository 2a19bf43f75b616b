"""Preflight checks before a launch: folders can be written, images can be read, networks can be built."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from configs.component import canonical
from configs.data_interfaces import DatasetConfig
from configs.data_interfaces import Progress as Reading
from grid.ledger.store import open_store
from grid.ledger.study import read_record
from grid.ledger.study_store import check_store
from grid.plan.cost import cost
from grid.plan.devices import check_other_devices
from grid.plan.inputs import InputResolver
from grid.plan.plan import BLOCKED, Plan, make_plan, store_of
from grid.spec.grid_file import BadInput, Grid
from grid.terminal import styled

SHOWN = 5  # number of skipped images named on the terminal
CellFilter = Mapping[str, Sequence[str]]


def prepare(study: Path, store: Path | str, new_store: bool = False) -> None:
    """Creates the folders, and reports an unwritable one before anything else happens.

    Args:
        new_store: the store may lack the study's earlier results

    Raises:
        BadInput: a folder cannot be written, or the store with the study's results is not there.
    """
    if not new_store and (record := earlier_record(study)) is not None:
        check_store(study.absolute(), store, record)
    check_folders(study, store)
    if not isinstance(store, Path):
        _probe(store)
    for key, folder in _folders(study, store).items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise BadInput(_unwritable(key, folder, error.strerror)) from error


def check_folders(study: Path, store: Path | str) -> None:
    """Checks without writing anything that the folders of a launch are none of files, and may be written.

    Raises:
        BadInput: a file is in the way, or the user has no right to write there.
    """
    for key, folder in _folders(study, store).items():
        if why := _in_the_way(folder.absolute()):
            raise BadInput(_unwritable(key, folder, why))
    report = study / "report"
    if why := _in_the_way(report.absolute()):  # otherwise a launch would end with it, after days
        raise BadInput(f"{report}: the report cannot be written here ({why}); move it, or choose another launch.study=...")


def _folders(study: Path, store: Path | str) -> dict[str, Path]:
    return {"study": study, **({"store": store} if isinstance(store, Path) else {})}


def _unwritable(key: str, folder: Path, why: str | None) -> str:
    return f"launch.{key} {folder}: cannot be written ({why}); choose another with launch.{key}=..."


def _in_the_way(folder: Path) -> str | None:
    """Why a folder can be neither made nor written; None if it can, as far as is known without trying."""
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
    except OSError as error:
        return error.strerror
    if not there.is_dir():
        return "a file has this name" if there == folder else f"{there} is a file"
    if not os.access(there, os.W_OK | os.X_OK):
        return "no right to write there" if there == folder else f"no right to write in {there}"
    return None


def earlier_record(study: Path) -> Mapping[str, Any] | None:
    """The record of an earlier launch; None if there is none, or it is damaged: the launch writes it again."""
    try:
        return read_record(study)
    except BadInput:
        return None


def _probe(url: str) -> None:
    """Checks that a store can be written.

    Raises:
        BadInput: it cannot.
    """
    store, key = open_store(url), f"writable-{uuid.uuid4().hex}"
    try:
        store.put(key, b"")
        store.delete(key)
    except OSError as error:
        raise BadInput(f"{url}: cannot be written ({error}); choose another with launch.store=...") from error


def checked_plan(grid: Grid, where: CellFilter | None, console: Console, retry: bool = False) -> Plan:
    """The plan after the preflight: images that were never read are read, once.

    Networks are counted only if something is to run, which takes seconds: those of finished cells were checked before they ran.

    Args:
        retry: failed or stale stages are to run again
    """
    resolver = InputResolver(store_of(grid))
    while True:
        plan = make_plan(grid, where, resolver)
        _refuse_blocked(plan)  # before reading a million images, make sure that all inputs exist
        if resolver.unread:
            scan(resolver, next(iter(resolver.unread.values())), console)
        elif resolver.unseen:
            look(resolver, next(iter(resolver.unseen.values())), console)
        else:
            break
    if plan.open or retry:
        plan = replace(plan, costs=cost(plan, resolver))  # rejects networks that cannot take the input
    check_other_devices(plan)
    for remark in remarks(plan):
        console.print(Text("left out", style="yellow"), Text(remark), highlight=False)
    return plan


def remarks(plan: Plan) -> list[str]:
    """Images in the folders of the plan's training data that belong to no dataset: one line per dataset and reason."""
    found: dict[str, DatasetConfig] = {}
    for cell in (planned.cell for planned in plan.cells if planned.cell is not None):
        for training in (cell, cell.source()):
            if training is not None and training.data.missing() is None:
                found.setdefault(canonical(training.data.model_dump(mode="json")), training.data)
    return [f"{data.name}: {words}" for data in found.values() for words in data.left_out().values()]


def _refuse_blocked(plan: Plan) -> None:
    blocked = [cell for cell in plan.cells if cell.state == BLOCKED]
    if blocked:
        reasons = list(dict.fromkeys(cell.reason for cell in blocked))
        more = f" (and {len(reasons) - 1} other reasons: see `facegrid plan`)" if len(reasons) > 1 else ""
        path = plan.grid.yaml_source.path
        raise BadInput(f"{path}: {len(blocked)} of {len(plan.cells)} cells are blocked: {reasons[0]}{more}")


def scan(resolver: InputResolver, data: DatasetConfig, console: Console) -> None:
    """Reads a dataset's images with a progress bar, and names the images skipped by the policy.

    Raises:
        BadInput: an image cannot be read and the policy is to fail.
    """
    _with_progress(f"reading the images of {data.name}", lambda progress: resolver.scan(data, progress), console)
    skipped = resolver.manifest(data).skipped
    for key, why in list(skipped.items())[:SHOWN]:
        console.print(styled("[yellow]skipped[/] {}: {}", key, why))
    if len(skipped) > SHOWN:
        console.print(styled("[yellow]skipped[/] {} more images of {}", len(skipped) - SHOWN, data.name))
    if repairs := data.repairs():
        console.print(styled("[yellow]repaired[/] {}: {}", data.name, repairs))


def look(resolver: InputResolver, data: DatasetConfig, console: Console) -> None:
    """Hashes a dataset's images with a progress bar, for protocols that exclude near-duplicates."""
    _with_progress(f"looking at the images of {data.name}", lambda progress: resolver.look(data, progress), console)


def _with_progress(title: str, work: Callable[[Reading], None], console: Console) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        try:
            work(lambda done, total: bar.update(task, completed=done, total=total))
        except ValueError as error:
            raise BadInput(str(error)) from error

"""Before anything is launched: folders that can be written, images that can be read, networks that can be built."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from configs.component import canonical
from configs.kinds import DatasetConfig
from configs.kinds import Progress as Reading
from grid.cost import cost
from grid.plan import BLOCKED, Plan, make_plan, store_of
from grid.spec import BadInput, Grid
from grid.terminal import styled
from grid.world import World

SHOWN = 5  # skipped images that are named on the terminal
Where = Mapping[str, Sequence[str]]


def prepare(study: Path, store: Path) -> None:
    """Makes the folders, and meets one that cannot be written before anything else happens."""
    for folder in (study, store):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable-{uuid.uuid4().hex}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise BadInput(f"{folder}: cannot be written ({error.strerror}); choose another with launch.study=...") from error


def checked_plan(grid: Grid, where: Where | None, console: Console) -> Plan:
    """The plan after the preflight: images that were never read are read, once."""
    world = World(store_of(grid))
    plan = make_plan(grid, where, world)
    _refuse_blocked(plan)  # reading a million images can wait until everything is there
    while world.unread or world.unseen:
        if world.unread:
            scan(world, next(iter(world.unread.values())), console)
        else:
            look(world, next(iter(world.unseen.values())), console)
        plan = make_plan(grid, where, world)
        _refuse_blocked(plan)
    cost(plan, world)  # refuses networks that cannot take the input
    for remark in remarks(plan):
        console.print(Text("left out", style="yellow"), Text(remark), highlight=False)
    return plan


def remarks(plan: Plan) -> list[str]:
    """Images that lie in the folders of the plan's training data and are in no dataset, a line for each dataset and reason."""
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
        path = plan.grid.document.path
        raise BadInput(f"{path}: {len(blocked)} of {len(plan.cells)} cells are blocked: {reasons[0]}{more}")


def scan(world: World, data: DatasetConfig, console: Console) -> None:
    """Reads a dataset's images with a progress bar, and names those that the policy skips.

    Raises:
        BadInput: an image cannot be read and the policy is to fail.
    """
    _with_progress(f"reading the images of {data.name}", lambda progress: world.scan(data, progress), console)
    skipped = world.manifest(data).skipped
    for key, why in list(skipped.items())[:SHOWN]:
        console.print(styled("[yellow]skipped[/] {}: {}", key, why))
    if len(skipped) > SHOWN:
        console.print(styled("[yellow]skipped[/] {} more images of {}", len(skipped) - SHOWN, data.name))
    if repairs := data.repairs():
        console.print(styled("[yellow]repaired[/] {}: {}", data.name, repairs))


def look(world: World, data: DatasetConfig, console: Console) -> None:
    """Takes hashes of a dataset's pictures with a progress bar, for protocols that ask for pictures nearly the same."""
    _with_progress(f"looking at the pictures of {data.name}", lambda progress: world.look(data, progress), console)


def _with_progress(title: str, work: Callable[[Reading], None], console: Console) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title)
        try:
            work(lambda done, total: bar.update(task, completed=done, total=total))
        except ValueError as error:
            raise BadInput(str(error)) from error

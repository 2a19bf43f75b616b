"""The ``cluster`` commands: checks of the machines that a launch would use."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, answer, counted, err, out, styled

cluster = typer.Typer(no_args_is_help=True, help="Check the machines that a launch would use.")
GridFile = Annotated[Path, typer.Argument(metavar="GRID", readable=False, help="grid file; its `launch` settings are used")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY.PATH=VALUE", help="overrides, such as launch.store=/shared/store")
]
Address = Annotated[
    str | None,
    typer.Option(help="address of a Ray cluster, such as auto or host:6379 [default: launch.address, or this machine alone]"),
]


@cluster.callback()
def _root() -> None:
    """The machines that a launch would use."""


@cluster.command()
def preflight(grid: GridFile, overrides: Overrides = None, address: Address = None, as_json: AsJson = False) -> None:
    """Check every node before a launch.

    Versions, GPUs, network, store, clocks, disks and the tracking server; one line per finding. Exit code 1 if one is wrong.
    """
    from grid.execution.cluster_preflight import check_cluster
    from grid.plan.plan import store_of, study_of
    from grid.spec.grid_file import read

    spec = read(grid, [*(overrides or []), *([f"launch.address={address}"] if address else [])])
    found = []
    for finding in check_cluster(spec.spec.launch, study_of(spec), store_of(spec), err.print):
        found.append(finding)
        if not as_json:
            word = styled("[green]ok[/]     ") if finding.ok else styled("[red]wrong[/]  ")
            place = f"{finding.node}: " if finding.node else ""
            cure = f"; {finding.do}" if finding.do else ""
            out.print(word.append(f"{finding.check:<9} {place}{finding.text}{cure}"), soft_wrap=True)
    wrong = [finding for finding in found if not finding.ok]
    facts = {"ok": not wrong, "findings": [dataclasses.asdict(finding) for finding in found]}
    answer(facts, as_json, [f"{counted(len(found), 'finding')}, {len(wrong)} wrong"])
    raise typer.Exit(1 if wrong else 0)

"""The `data` commands of the command line."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from grid.terminal import AsJson, err, out

data = typer.Typer(no_args_is_help=True, help="Datasets: what is needed, what is on disk, is it whole.")

Name = Annotated[str, typer.Argument(help="a dataset, such as lfw")]
Settings = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="the dataset's fields, such as root=data/lfw")
]


@data.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the datasets that a grid file can name: what they are, under which terms, and where they come from."""
    from grid.data import describe

    rows = describe()
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        out.print(f"[bold]{row['name']}[/]  {row['about']}", highlight=False)
        out.print(f"    {row['terms']}", style="dim", highlight=False)


@data.command("get")
def data_get(
    name: Name,
    settings: Settings = None,
    base: Annotated[str | None, typer.Option("--base", metavar="ADDRESS", help="another server with the same files")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a dataset that has a public source, checked and resumed; say how to ask for another."""
    from grid.data import get

    facts = get(name, settings or [], base, err)
    _print(facts, as_json)


@data.command("check")
def data_check(name: Name, settings: Settings = None, as_json: AsJson = False) -> None:
    """Read every image of a dataset and say whether it is whole."""
    from grid.data import check

    facts = check(name, settings or [], err)
    _print(facts, as_json)
    if facts["bad"]:
        raise typer.Exit(1)


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    bad = facts.get("bad", {})
    out.print(", ".join(f"{key} {value}" for key, value in facts.items() if key != "bad"), highlight=False)
    for key, why in bad.items():
        out.print(f"[red]bad[/] {key}: {why}", highlight=False)

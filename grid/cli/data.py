"""The `data` commands of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer
from rich.text import Text

from grid.terminal import AsJson, answer, err, out, styled

data = typer.Typer(no_args_is_help=True, help="List, download, check, show, convert and compare datasets.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="a dataset, such as lfw")]
Settings = Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="the dataset's fields, such as root=data/lfw")]


@data.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the available datasets and pair lists.

    With requirements, terms and source of each.
    """
    from grid.cli.datasets import describe

    def lines() -> Iterator[Text]:
        for row in rows:
            kind = "[dim]protocol[/] " if row["kind"] == "protocol" else ""
            yield styled(kind + "[bold]{}[/]  {}", row["name"], row["about"])
            for title, key in (("needs", "needs"), ("terms", "terms"), ("from", "origin")):
                line = fill(row[key], out.width, initial_indent=f"    {title:<6} ", subsequent_indent=" " * 11)
                yield Text(line, style="dim")

    rows = describe()
    answer(rows, as_json, lines())


@data.command("get")
def data_get(
    name: Name,
    settings: Settings = None,
    base: Annotated[str | None, typer.Option("--base", metavar="ADDRESS", help="another server with the same files")] = None,
    as_json: AsJson = False,
) -> None:
    """Download a dataset that has a public source.

    Downloads are verified and resumed. For other datasets, prints where to request them.
    """
    from grid.cli.datasets import get

    _answer(get(name, settings or [], base, err), as_json)


@data.command("check")
def data_check(name: Name, settings: Settings = None, as_json: AsJson = False) -> None:
    """Read every image of a dataset and check that it is complete.

    For a pair list, such as sllfw, checks the list and its images. Exit code 1 if anything is bad or absent.
    """
    from grid.cli.datasets import check

    facts = check(name, settings or [], err)
    _answer(facts, as_json)
    raise typer.Exit(0 if facts["whole"] else 1)


@data.command("show")
def data_show(
    name: Name,
    settings: Settings = None,
    augment: Annotated[str | None, typer.Option(metavar="YAML", help="an augmentation, such as basic")] = None,
    detector: Annotated[
        str | None, typer.Option(metavar="YAML", help="a detector, such as mtcnn [default: the whole image]")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="height of a crop in pixels, and its width without --width")] = 112,
    width: Annotated[int | None, typer.Option(min=1, help="width of a crop in pixels, if crops are not square")] = None,
    images: Annotated[int, typer.Option(min=1, help="how many subjects")] = 6,
    seed: Annotated[int, typer.Option(help="seed of the training whose images are drawn")] = 0,
    to: Annotated[Path, typer.Option(metavar="FILE", help="image file to write")] = Path("show.png"),
    as_json: AsJson = False,
) -> None:
    """Draw a sheet of faces as seen in training.

    Cropped by a detector and changed by an augmentation, epoch by epoch.
    """
    from grid.cli.datasets import show

    pixels = size if width in (None, size) else (size, width)
    _answer(show(name, settings or [], detector, augment, images, pixels, seed, to, err), as_json)


@data.command("convert")
def data_convert(
    name: Name,
    settings: Settings = None,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="new folder to write to")] = ...,  # type: ignore[assignment]
    images_per_shard: Annotated[int, typer.Option(min=1)] = 10_000,
    mebibytes_per_shard: Annotated[int, typer.Option(min=1)] = 1024,
    as_json: AsJson = False,
) -> None:
    """Write a dataset as shards; the images' bytes are unchanged.

    Clusters read shards sequentially.
    """
    from grid.cli.datasets import convert

    _answer(convert(name, settings or [], to, images_per_shard, mebibytes_per_shard, err), as_json)


@data.command("audit")
def data_audit(
    train: Annotated[str, typer.Argument(metavar="TRAIN", help="a dataset as YAML, such as '{name: lfw, root: data/lfw}'")],
    evaluation: Annotated[str, typer.Argument(metavar="EVALUATION", help="the other dataset, in the same form")],
    near: Annotated[bool, typer.Option("--near", help="also compare images, which reads all of them")] = False,
    bits: Annotated[
        int, typer.Option(min=0, max=15, help="number of hash bits, of 64, that may differ between near duplicates")
    ] = 4,
    as_json: AsJson = False,
) -> None:
    """Show what two datasets share: subjects, names, files, images.

    Exit code 1 if they share anything.
    """
    from grid.cli.datasets import audit

    facts = audit(train, evaluation, near, bits, err)
    _answer(facts, as_json)
    raise typer.Exit(0 if facts["clean"] else 1)


def _answer(facts: dict[str, Any], as_json: bool) -> None:
    answer(facts, as_json, _lines(facts))


def _lines(facts: dict[str, Any]) -> Iterator[Text]:
    """A line per fact; problems come last, because they may be long."""
    width = max(map(len, facts))
    for key, value in sorted(facts.items(), key=lambda fact: isinstance(fact[1], dict)):
        style, lines = "dim", [_said(value)]
        if isinstance(value, dict):
            style = "red" if key in ("bad", "absent") else "yellow"
            lines = [f"{what}: {_said(found)}" for what, found in value.items() if found]
        for line in lines:
            yield Text.assemble((key.replace("_", " ").ljust(width), style), f"  {line}")


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(", ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
    return str(value)

"""The ``judge`` command: the report of a grid for networks from files."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from grid.terminal import AsJson, FalseMatchRate, answer, err, out, styled


def judge(
    networks: Annotated[
        list[Path],
        typer.Argument(
            metavar="NETWORK...",
            readable=False,
            help=".onnx, TorchScript, .npz, .csv, exported folders, or model.safetensors of a store",
        ),
    ],
    on: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=PATH", help="what to evaluate on: lfw, folder, bin, ijbb or ijbc with its path; or a protocol in YAML"
        ),
    ],
    to: Annotated[Path | None, typer.Option(metavar="FOLDER", help="folder of the study [default: studies/judge]")] = None,
    order: Annotated[str | None, typer.Option(help="order of the color channels: rgb or bgr")] = None,
    mean: Annotated[
        str | None, typer.Option(metavar="X[,X,X]", help="subtracted from the pixels, which are 0 to 255; red first")
    ] = None,
    std: Annotated[str | None, typer.Option(metavar="X[,X,X]", help="the difference is divided by it; red first")] = None,
    faces: Annotated[
        str | None,
        typer.Option(help="similarity (five landmarks), listed (those of the dataset's list), box, or none (whole images)"),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="HEIGHTxWIDTH", help="size of the images in pixels")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="add the embedding of the mirror image")] = False,
    output: Annotated[str | None, typer.Option(help="name of the ONNX output that is the embedding")] = None,
    trust: Annotated[bool, typer.Option("--trust", help="allow TorchScript files to run; they are programs")] = False,
    fmr: FalseMatchRate = 0.001,
    explain: Annotated[int, typer.Option(min=0, help="how many of the worst pairs of each kind CorrRISE explains")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of each network [default: all processors]")] = None,
    store: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="store of an earlier study, whose detections are reused")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate networks from files, and write the report of a grid.

    Preprocessing that you do not state is guessed, tried on some images, and printed.
    """
    from grid.judge.answers import thresholds
    from grid.judge.judge import Request
    from grid.judge.judge import judge as run
    from grid.judge.material import material
    from grid.judge.networks import judged, titled
    from grid.report.console import table

    console = err if as_json else out
    protocols, usual = material(on, flip)
    start, stated = _stated(order, mean, std, faces, size, usual)
    found = titled([judged(path, start, _size(size), output, trust) for path in networks])
    for one in found:
        guessed = "" if one.preprocessing is None else f"; {one.preprocessing.words}{_guessed(one, stated)}"
        console.print(f"{one.title}: {one.said}{guessed}", soft_wrap=True)
    processors = len(os.sched_getaffinity(0))
    request = Request(tuple(found), protocols, to or Path("studies/judge"), stated, threads or processors, store, explain)
    study, findings, done = run(request, console)
    for title, some in findings.items():
        for finding in some:
            line = f"{title}: {finding.words}"
            if finding.wrong:
                line += "; it was stated, so it is used" if finding.part in stated else f"; {finding.best} is used"
            console.print(styled("[yellow]{}[/]" if finding.wrong else "{}", line), soft_wrap=True)
    points = thresholds(study, fmr)
    facts = json.loads((study.path / "report" / "report.json").read_text(encoding="utf-8"))
    facts["preprocessing"] = {title: [asdict(one) for one in some] for title, some in findings.items()}
    facts["thresholds"] = [asdict(one) for one in points]
    page = study.path / "report" / "index.html"
    answer(facts, as_json, [table(study), *(point.words for point in points), f"report: {page}"])
    raise typer.Exit(0 if done else 1)


def _guessed(one: Any, stated: frozenset[str]) -> str:
    """What was guessed; a size that the file fixes is not."""
    from grid.judge.preprocessing import PARTS

    left = [part for part in PARTS if part not in stated and (part != "size" or len(one.sizes) > 1)]
    return f" ({', '.join(left)} guessed)" if left else " (as stated)"


def _stated(
    order: str | None, mean: str | None, std: str | None, faces: str | None, size: str | None, usual: str
) -> tuple[Any, frozenset[str]]:
    """The preprocessing to begin with, and its parts that the user stated."""
    from grid.judge.preprocessing import FACES, ORDERS, Preprocessing
    from grid.spec.grid_file import BadInput

    for name, value, known in (("order", order, ORDERS), ("faces", faces, tuple(FACES))):
        if value is not None and value not in known:
            raise BadInput(f"--{name} {value!r}: known are {', '.join(known)}")
    if (mean is None) != (std is None):
        raise BadInput("--mean and --std belong together: state both, such as --mean 127.5 --std 127.5")
    plain = Preprocessing()
    start = Preprocessing(
        order or plain.order,
        plain.mean if mean is None else _three("--mean", mean),
        plain.std if std is None else _three("--std", std),
        faces or usual,
    )
    named = {"order": order, "range": mean, "faces": faces, "size": size}
    return start, frozenset(part for part, value in named.items() if value is not None)


def _three(option: str, text: str) -> tuple[float, float, float]:
    from grid.spec.grid_file import BadInput

    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3) or not all(map(isfinite, values)) or (option == "--std" and min(values) <= 0):
        raise BadInput(f"{option} {text!r}: one number, or three with commas, red first; --std above 0")
    first, second, third = values * 3 if len(values) == 1 else values
    return first, second, third


def _size(text: str | None) -> tuple[int, int] | None:
    from grid.spec.grid_file import BadInput

    if text is None:
        return None
    sides = text.split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) >= 32 for side in sides):
        raise BadInput(f"--size {text!r}: HEIGHTxWIDTH in pixels, 32 or more, such as 112x96")
    return int(sides[0]), int(sides[-1])

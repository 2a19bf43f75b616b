"""The ``explain`` command: more explanations for a finished study, or for two image files under one trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grid.terminal import Address, AsJson, WhereText, answer, err, out

if TYPE_CHECKING:
    from grid.explain.options import Look

Target = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY|CHECKPOINT",
        readable=False,
        help="a study's folder; with two images, also a model.safetensors in a store",
    ),
]
Files = Annotated[
    list[Path] | None, typer.Argument(metavar="A.jpg B.jpg", readable=False, help="two images of faces, in any format")
]
Methods = Annotated[
    list[str] | None, typer.Option(metavar="NAME,...", help="methods, or one as in a grid file: '{name: rise, masks: 500}'")
]
Images = Annotated[
    str | None, typer.Option(metavar="N|KEY,...|FILE.txt", help="images of the training data: how many, or which")
]
Pairs = Annotated[
    str | None, typer.Option(metavar="N|FILE", help="pairs of a protocol: how many, or a file with two keys per line")
]
Protocol = Annotated[
    str | None, typer.Option(metavar="TITLE", help="protocol whose pairs are explained [default: the first with image pairs]")
]
Scores = Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="explanation metrics, such as hiding_game,sanity")]
Drop = Annotated[list[str] | None, typer.Option(metavar="NAME,...", help="remove explanations that were added to the study")]
Threshold = Annotated[float | None, typer.Option(help="lowest cosine at which two images count as one subject")]
To = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="image file for the maps of two images [default: explanation.png]")
]


def explain(
    target: Target,
    files: Files = None,
    where: WhereText = None,
    methods: Methods = None,
    images: Images = None,
    pairs: Pairs = None,
    protocol: Protocol = None,
    scores: Scores = None,
    address: Address = None,
    threshold: Threshold = None,
    to: To = None,
    drop: Drop = None,
    as_json: AsJson = False,
) -> None:
    """Explain what trained networks look at; nothing is trained.

    More images or pairs of a study, or two image files.
    """
    from grid.explain.options import Look
    from grid.spec.grid_file import BadInput

    study = {"--images": images, "--pairs": pairs, "--protocol": protocol, "--scores": scores, "--address": address}
    if not files:
        _refuse({"--threshold": threshold, "--to": to}, "{} is for the explanation of two images")
        if drop:
            _refuse({**study, "--methods": methods}, "--drop only removes explanations; leave {} out")
            _drop(target, where, [name.strip() for text in drop for name in text.split(",") if name.strip()], as_json)
            return
        _study(target, where, methods, Look.of(images, pairs, protocol, scores or ()), address, as_json)
    elif len(files) == 2:
        _refuse({**study, "--drop": drop}, "{} is for the explanation of a study")
        _two(target, (files[0], files[1]), where, methods, threshold, to or Path("explanation.png"), as_json)
    else:
        raise BadInput(
            f"explain takes a study alone, or a network and two images; found {len(files)} image{'s' if len(files) > 1 else ''}"
        )


def _refuse(options: Mapping[str, object], words: str) -> None:
    """Raises BadInput, with its name in ``words``, if one of these options is given."""
    from grid.spec.grid_file import BadInput

    for option, value in options.items():
        if value is not None:
            raise BadInput(words.format(option))


def _study(
    target: Path,
    where: list[str] | None,
    methods: list[str] | None,
    look: Look,
    address: str | None,
    as_json: bool,
) -> None:
    from grid.explain import of_study as explaining
    from grid.explain import options
    from grid.ledger.study import Study
    from grid.spec.cell_filter import parse_cell_filter

    study = Study(target)
    explainers = options.methods(methods or [], look)
    facts = explaining.explain(study, parse_cell_filter(where), explainers, address, err if as_json else out)
    answer(facts, as_json, explaining.result_lines(facts, study))
    raise typer.Exit(1 if any(row["state"] in ("failed", "unfinished") for row in facts["explanations"]) else 0)


def _drop(target: Path, where: list[str] | None, labels: list[str], as_json: bool) -> None:
    from grid.execution.launch import short
    from grid.explain import of_study as explaining
    from grid.ledger.study import Study
    from grid.spec.cell_filter import parse_cell_filter

    facts = explaining.drop(Study(target), parse_cell_filter(where), labels, err if as_json else out)
    lines = [f"dropped {one['label']}, {one['cell']}" for one in facts["dropped"]]
    lines.append(f"what was computed stays in the ledger · report: {short(Path(facts['report']))}")
    answer(facts, as_json, lines)


def _two(
    target: Path,
    files: tuple[Path, Path],
    where: list[str] | None,
    methods: list[str] | None,
    threshold: float | None,
    to: Path,
    as_json: bool,
) -> None:
    from grid.explain import options, two_images
    from grid.results import model_loader
    from grid.spec.cell_filter import parse_cell_filter

    explainers = options.methods(methods or [",".join(two_images.METHODS)], options.Look(pairs=1))
    facts = two_images.explain(model_loader.find(target, parse_cell_filter(where)), files, explainers, threshold, to)
    answer(facts, as_json, two_images.result_lines(facts))

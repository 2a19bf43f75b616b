"""``facegrid figures``: the figures of a study as SVG and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import StudyFolder, out, styled


def figures(
    study: StudyFolder,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="folder to write to [default: figures/ in the study]")
    ] = None,
) -> None:
    """Write the figures of a study as SVG and PDF.

    Critical differences, interactions, DET curves, error rates, scores, learning curves, accuracy against cost, hiding
    games.
    """
    from grid.analysis.analysis import analyze
    from grid.ledger.study import Study
    from grid.report.plots.of_study import plots
    from grid.results.rows import table

    found = Study(study)
    folder = found.path / "figures" if to is None else to
    folder.mkdir(parents=True, exist_ok=True)
    shown = table(found)
    for plot in plots(found, shown, analyze(found, shown)):
        for ending, data in (("svg", plot.svg), ("pdf", plot.pdf)):
            (folder / f"{plot.name}.{ending}").write_bytes(data)
        out.print(styled("[bold]{}[/]: {} {}", f"{folder / plot.name}.svg, .pdf", f"{plot.title}.", plot.words))

"""``facegrid compare``: what differs between two studies, and which results differ beyond noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, answer


def compare(
    first: Annotated[Path, typer.Argument(metavar="STUDY_A", readable=False, help="a study's folder")],
    second: Annotated[
        Path, typer.Argument(metavar="STUDY_B", readable=False, help="the folder of another study, such as a later run")
    ],
    as_json: AsJson = False,
) -> None:
    """Compare two studies: settings, data, code and results.

    Cells with equal levels are compared. Results differ where the difference is larger than noise.
    """
    from grid.analysis.result_changes import result_changes
    from grid.analysis.setup_changes import setup_changes, shared_cells
    from grid.ledger.study import Study
    from grid.report.study_changes import changes_json, changes_text
    from grid.results.rows import table

    studies = Study(first), Study(second)
    names = (str(first), str(second))
    setup = setup_changes(*studies, shared_cells(*studies))
    results = result_changes(studies[0], table(studies[0]), studies[1], table(studies[1]))
    answer(changes_json(names, setup, results), as_json, [changes_text(names, setup, results)])

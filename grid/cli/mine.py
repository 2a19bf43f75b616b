"""``facegrid mine``: look-alike impostor pairs, mined with a network of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grid.terminal import AsJson, StudyFolder, WhereText, answer


def mine(
    study: StudyFolder,
    lfw: Annotated[Path, typer.Option(help="the folder with LFW's pairs.txt")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="file to write, which the protocol lookalike reads")],
    where: WhereText = None,
    protocol: Annotated[str, typer.Option(help="title of a clustering protocol on LFW")] = "clustering",
    as_json: AsJson = False,
) -> None:
    """Mine look-alike impostor pairs with the network of a finished cell.

    The cell needs a clustering protocol on LFW.
    """
    from grid.ledger.study import Study
    from grid.results.hard_impostors import mine_hard_impostors
    from grid.spec.cell_filter import parse_cell_filter

    facts = mine_hard_impostors(Study(study), parse_cell_filter(where), protocol, lfw, to)
    answer(facts, as_json, [", ".join(f"{key} {value}" for key, value in facts.items())])

"""The ``accept`` command: keeps results whose code has changed, with a recorded reason."""

from __future__ import annotations

from typing import Annotated

import typer

from grid.terminal import AsJson, StudyFolder, WhereText, answer, counted

Because = Annotated[str, typer.Option("--because", help="why the change does not affect the results; kept with your name")]


def accept(study: StudyFolder, because: Because, where: WhereText = None, as_json: AsJson = False) -> None:
    """Accept results whose code has changed since, without computing them again.

    The reason, your name and the time are kept in the ledger, and plan, status and report show them. When the code changes once
    more, the results are stale again.
    """
    from grid.execution.accept import accept_stale
    from grid.ledger.study import Study
    from grid.plan.table import accepted
    from grid.spec.cell_filter import parse_cell_filter
    from grid.spec.grid_file import BadInput

    if not because.strip():
        raise BadInput("--because: a reason is needed, such as 'the change only renames a variable'")
    plan, stages = accept_stale(Study(study), parse_cell_filter(where), because)
    rows = [{"id": stage.id, "stage": stage.stage, "label": stage.label, "cells": list(stage.cells)} for stage in stages]
    answer({"accepted": rows}, as_json, [f"{counted(len(stages), 'stale stage')} accepted", *accepted(plan)])

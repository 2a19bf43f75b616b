"""The ``logs`` command: what happened to the stages of a study."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from grid.terminal import AsJson, StudyFolder, WhereText, out

Stage = Annotated[str | None, typer.Option("--stage", help="a stage such as train or evaluate:lfw [default: all]")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="keep printing new lines until nothing is running")]
SECONDS = 1.0  # between two looks


def logs(
    study: StudyFolder, where: WhereText = None, stage: Stage = None, follow: Follow = False, as_json: AsJson = False
) -> None:
    """Show what happened to the stages: attempts, epochs, messages, errors, results.

    Reads the ledger, so it works with any executor, also during a launch. With --json, one object per line.
    """
    from grid.results.following import follow as until_idle
    from grid.results.log_follower import LogFollower
    from grid.results.logs import line
    from grid.spec.cell_filter import parse_cell_filter

    follower = LogFollower(study, parse_cell_filter(where), stage)

    def look() -> tuple[bool, bool]:
        rows, alive = follower.look()
        for row in rows:
            if as_json:
                print(json.dumps(row), flush=True)
            else:
                out.print(line(row), soft_wrap=True)
        return alive, follower.left

    if follow:
        until_idle(look, SECONDS, time.sleep)
    else:
        look()

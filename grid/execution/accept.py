"""Accepts stale results: the user judged that a change of the code does not affect them."""

from __future__ import annotations

import socket
import time

from grid.ledger.acceptance import Acceptance, accept
from grid.ledger.ledger import Ledger
from grid.ledger.study import Study
from grid.plan.plan import STALE, Plan, PlannedStage, make_plan, store_of
from grid.plan.preflight import CellFilter
from grid.plan.recorded_grid import recorded_grid
from grid.secrets import masked_text
from grid.user_name import user_name


def accept_stale(study: Study, where: CellFilter | None, because: str) -> tuple[Plan, list[PlannedStage]]:
    """Records that the stale stages of these cells count as done under the present code.

    A stage that several cells share is accepted for all of them.

    Returns:
        the plan after that, and the accepted stages

    Raises:
        BadInput: a level does not exist, or data or weights are missing.
    """
    plan = make_plan(recorded_grid(study, [cell for cell in study.cells if not cell.hidden]), where)
    ledger = Ledger(store_of(plan.grid))
    reason, done = " ".join(masked_text(because).split()), []
    for stage in plan.stages:
        marker = ledger.marker(stage.stage, stage.id) if stage.state == STALE else None
        if marker is not None and marker.generation == stage.generation:
            decision = Acceptance(marker.generation, stage.source, marker.source, user(), time.time(), reason)
            accept(ledger.store, stage.stage, stage.id, decision)
            done.append(stage)
    return plan.renewed(), done


def user() -> str:
    """The user and the machine, such as ``ada@node7``."""
    return f"{user_name()}@{socket.gethostname()}"

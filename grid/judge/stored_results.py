"""Checks that stored embeddings and scores have all that the protocols ask for, before a judgment computes anything."""

from __future__ import annotations

from typing import Any

from grid.evaluation.task import evaluation_task
from grid.plan.inputs import InputResolver
from grid.plan.plan import Plan
from grid.spec.grid_file import BadInput
from grid.spec.training import Training
from grid.stages.evaluate import stored, without_vectors


def check_stored_results(plan: Plan, resolver: InputResolver) -> None:
    """Looks up every image, or every pair, of every protocol, as the evaluations will.

    Raises:
        BadInput: as ``stored``, ``without_vectors`` and ``vectors`` or ``pair_scores`` of the backbone.
    """
    for planned in plan.cells:
        if planned.cell is None or not planned.cell.backbone.stored:
            continue
        training = planned.cell.training()
        for protocol in planned.cell.protocols:
            try:
                _look_up(training, protocol, resolver)
            except ValueError as error:
                raise BadInput(str(error)) from error


def _look_up(training: Training, protocol: Any, resolver: InputResolver) -> None:
    asked = resolver.asked(protocol, training)
    keys = resolver.manifest(resolver.dataset(protocol)).keys
    rows = evaluation_task(protocol.task).rows(asked)
    if not training.backbone.scored:
        stored(training, protocol, [keys[row] for row in rows])
        return
    without_vectors(protocol, len(rows))
    left, right = ([keys[row] for row in side] for side in (asked.left, asked.right))
    training.backbone.pair_scores(left, right, asked.same)

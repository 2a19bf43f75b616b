"""The reference pairs of a trained network, for explaining two files: the same as in an explain stage."""

from __future__ import annotations

import dataclasses
from typing import Any

from grid.plan.inputs import Blocked
from grid.results.model_loader import Trained
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import DETECT
from grid.stages import explain
from grid.stages.context import Context
from modules.attribution.explainer import Reference


def reference_of(trained: Trained, context: Context) -> Reference:
    """Pairs of images as in ``grid.stages.explain.reference_of``, and the mean color for the first protocol with pairs.

    Without such a protocol, the mean is that of the training data.

    Raises:
        BadInput: the images are not available.
    """
    if trained.cell is None or trained.view is None:
        raise BadInput("no study is known that says where they are; name a study's folder with --where")
    detected = tuple(marker for marker in trained.view.markers.values() if marker.kind == DETECT)
    context = dataclasses.replace(context, detected=detected)
    protocol: Any = next((one for one in trained.cell.protocols if one.task == "verification"), None)
    try:
        return explain.reference_of(context, trained.training, protocol)
    except (Blocked, ValueError) as error:
        raise BadInput(str(error)) from error

"""The reference pairs of a trained network, for explaining two files: the same as in an explain stage."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from grid.plan.inputs import Blocked
from grid.results.model_loader import Trained
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import DETECT
from grid.stages.context import Context, faces_of
from grid.stages.explain import MEAN, pairs_to_tune_on, tensors
from modules.attribution.explainer import Reference


def reference_of(trained: Trained, context: Context) -> Reference:
    """Pairs of images as in ``grid.stages.explain.reference_of``, and the mean color for the first protocol with pairs.

    Without such a protocol, the mean is that of the training data.

    Raises:
        BadInput: the images are not available.
    """
    if trained.cell is None or trained.view is None:
        raise BadInput("no study is known that says where they are; name a study's folder with --where")
    training = trained.training
    detected = tuple(marker for marker in trained.view.markers.values() if marker.kind == DETECT)
    context = dataclasses.replace(context, detected=detected)
    protocol: Any = next((one for one in trained.cell.protocols if one.task == "verification"), None)
    try:
        faces = faces_of(context, training.data, training.detector, training.input.pixels)
        left, right, same = pairs_to_tune_on(faces, training)
        data = training.data if protocol is None else context.resolver.dataset(protocol)
        keys = context.resolver.manifest(data).keys
        some = sorted(sorted(range(len(keys)), key=lambda row: keys[row][::-1])[:MEAN])
        colors = faces_of(context, data, training.detector, training.input.pixels, rows=some).crops
        means = [colors[row].reshape(-1, 3).mean(0) for row in range(len(colors))]
        crops = {row: faces.crops[row] for row in {*left, *right}}
    except (Blocked, ValueError) as error:
        raise BadInput(str(error)) from error
    return Reference(
        tensors(np.stack([crops[row] for row in left]), context.device),
        tensors(np.stack([crops[row] for row in right]), context.device),
        torch.tensor(same),
        torch.tensor(np.mean(means, axis=0) / 127.5 - 1, dtype=torch.float32),
    )

"""What a plan says about networks that cannot be trained deterministically on a GPU."""

from __future__ import annotations

import contextlib
from collections import Counter

from grid.plan.plan import Plan
from grid.spec.training import Training
from grid.terminal import counted
from modules.shape_inference import feature_shape, on_meta, sides, title


def determinism_lines(plan: Plan) -> list[str]:
    """One line for each backbone, head or decoder with an operation that has no deterministic form on CUDA.

    Only cells with ``compute.deterministic: true`` count, where it is an error. Nothing if the grid does not use GPUs: finding
    out takes a pass through each network, though without data.
    """
    if not _uses_gpus(plan):
        return []
    found: Counter[str] = Counter()
    known: dict[tuple[object, ...], list[str]] = {}
    for planned in plan.cells:
        cell = planned.cell
        if cell is None or not cell.recipe.trains or cell.compute.deterministic is not True:
            continue
        key = (id(cell.backbone), id(cell.head), id(cell.reconstruction), cell.input.pixels)  # kept alive by the plan
        if key not in known:
            known[key] = operations(cell)
        found.update(known[key])
    return [
        f"{what} has no deterministic form on GPUs, so the training of {counted(cells, 'cell')} would fail there; set "
        "compute.deterministic to warn or false"
        for what, cells in found.items()
    ]


def operations(training: Training) -> list[str]:
    """``backbone NAME: OPERATION`` for each operation without a deterministic form, also for head and decoder.

    A part that does not work without data has none: if it uses such an operation, its training ends with torch's message.
    """
    import torch

    from modules.nondeterministic_operations import nondeterministic_operations

    height, width = sides(training.input.pixels)
    shape = feature_shape(training.backbone, training.input.pixels)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        parts = {f"backbone {title(training.backbone)}": (on_meta(training.backbone), (2, 3, height, width))}
        parts[f"head {training.head.name}"] = (training.head.build(*shape), (2, *shape))
        if training.reconstruction is not None:
            decoder = training.reconstruction.decoder
            parts[f"decoder {decoder.name}"] = (decoder.build(*shape, (height, width)), (2, *shape))
    found = []
    for name, (module, sizes) in parts.items():
        with contextlib.suppress(Exception):
            found += [f"{name}: {operation}" for operation in nondeterministic_operations(module, sizes)]
    return found


def _uses_gpus(plan: Plan) -> bool:
    """Whether stages may run on a GPU: of this machine, or of a cluster, whose nodes are not known yet."""
    import torch

    launch = plan.grid.spec.launch
    return launch.resources.gpus != 0 and (launch.address is not None or torch.cuda.is_available())

"""What a plan says about cells on several devices: whether their numbers are those of one device."""

from __future__ import annotations

from collections import Counter
from typing import Any

from grid.plan.plan import Plan
from grid.spec.grid_file import BadInput
from grid.spec.training import Training
from grid.terminal import counted
from modules.shape_inference import feature_shape, on_meta
from modules.targets import head_of, objective


def device_lines(plan: Plan) -> list[str]:
    """One line for each number of devices and kind of layers that make a result depend on it."""
    found: Counter[tuple[int, str]] = Counter()
    known: dict[tuple[int, ...], str] = {}
    for planned in plan.cells:
        cell = planned.cell
        if cell is None or cell.compute.devices == 1 or not cell.recipe.trains:
            continue
        parts = cell.backbone, cell.head, cell.targets, cell.reconstruction, cell.stages, cell.compute  # kept alive by the plan
        key = (*map(id, parts),)
        if key not in known:
            known[key] = " and ".join(by_part(cell))
        if known[key]:
            found[cell.compute.devices, known[key]] += 1
    lines = [
        f"compute.devices {devices}: {what} of {counted(cells, 'cell')} per device, so numbers differ from those of one device"
        for (devices, what), cells in found.items()
    ]
    return [*lines, *_other_lines(plan)]


def _other_lines(plan: Plan) -> list[str]:
    """One line for each number of devices of cells that ``launch.devices`` gives another."""
    launch = plan.grid.spec.launch
    try:
        check_other_devices(plan)
    except BadInput:
        return []  # said among the reasons why a launch would be refused
    several = [cell for one in plan.cells if (cell := one.cell) and cell.compute.devices > 1 and cell.recipe.trains]
    if launch.devices is not None and not several:
        return [f"launch.devices {launch.devices_words} changes nothing: no cell has compute.devices above 1"]
    lines = []
    for wanted, cells in Counter(cell.compute.devices for cell in several).items():
        what = f"launch.devices {launch.devices_words}: {counted(cells, 'cell')} with compute.devices {wanted}"
        fewest = min(launch.fewest_devices or wanted, wanted)
        if launch.ranks not in (None, wanted):
            lines.append(f"{what}: trained on {counted(launch.ranks or 0, 'device')}")
        elif fewest < wanted:
            lines.append(f"{what}: trained on {fewest} to {wanted} devices, as many as the nodes have room for")
        elif launch.devices is not None:
            lines.append(f"{what}: trained on {wanted} devices, as without launch.devices")
    return lines


def check_other_devices(plan: Plan) -> None:
    """Checks that trainings give the same numbers on ``launch.devices`` devices as on as many as their cells say.

    Raises:
        BadInput: one does not, or its batch is too small.
    """
    launch = plan.grid.spec.launch
    if launch.devices is None:
        return
    for planned in plan.cells:
        cell = planned.cell
        if cell is None or cell.compute.devices == 1 or not cell.recipe.trains:
            continue
        least = launch.ranks or min(launch.fewest_devices or 1, cell.compute.devices)
        if least == cell.compute.devices:
            continue
        if found := [f"{what} of {parts}" for what, parts in by_part(cell).items()]:
            raise BadInput(
                f"launch.devices is {launch.devices_words}: the numbers of {planned.title} depend on compute.devices, which is "
                f"{cell.compute.devices} ({', '.join(found)}); leave launch.devices out"
            )
        if cell.recipe.part_size < least:
            raise BadInput(f"launch.devices: {least} devices cannot share {cell.recipe.part_size} images; lower it")


def by_part(training: Training) -> dict[str, str]:
    """What depends on how a batch is divided, and where it is.

    These are layers, batch normalization and dropout, of a ``backbone``, a ``head``, a ``targets.NAME.head`` or a ``decoder``;
    and gradients in float16, whose scale on several devices is another one, so that other steps are skipped.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    channels, height, width = feature_shape(training.backbone, training.input.pixels)
    heads = {f"targets.{name}.head": target.head for name, target in training.targets.items() if target.head is not None}
    if not any(head_of(training.head, objective(training)) is head for head in heads.values()):
        heads["head"] = training.head
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        parts: dict[str, Any] = {"backbone": on_meta(training.backbone)}
        parts |= {key: head.build(channels, height, width) for key, head in heads.items()}
    found = {
        "batch normalization": lambda layer: isinstance(layer, _BatchNorm) and training.compute.batch_norm == "local",
        "dropout": _drops,
    }
    where = {name: [key for key, part in parts.items() if any(map(has, part.modules()))] for name, has in found.items()}
    if training.compute.batch_norm == "local" and _decodes(training):
        where["batch normalization"].append("decoder")
    where["float16 gradients"] = ["compute.precision"] if training.compute.precision == "16-mixed" else []
    return {name: " and ".join(keys) for name, keys in where.items() if keys}


def _decodes(training: Training) -> bool:
    """Whether a decoder is trained: with the network, or by a stage of the cell."""
    return training.reconstruction is not None or any(hasattr(stage, "recipe") for stage in getattr(training, "stages", ()))


def _drops(layer: Any) -> bool:
    """torch's dropout has ``p``, timm's stochastic depth ``drop_prob``."""
    rate = getattr(layer, "p", None) or getattr(layer, "drop_prob", None)
    return "Drop" in type(layer).__name__ and bool(rate)

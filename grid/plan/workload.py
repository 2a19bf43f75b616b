"""What the duration of a stage depends on: what it does, with which network, and how many operations that takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.data_interfaces import DatasetConfig
from grid.plan.cost import cost
from grid.plan.inputs import Blocked, InputResolver
from grid.plan.plan import Plan, PlannedStage
from grid.spec.cell import DetectionShard
from grid.spec.stage_kind import stage_kind
from grid.spec.stage_name import DETECT_SHARD

BACKWARD = 3  # a step of a training costs three forward passes
SCALE = 2  # of amounts; in scale 1, those of these kinds did not count masks, samples, patches and crops
RESCALED = ("explain", "evaluate")


@dataclass(frozen=True)
class Workload:
    """The features of a stage that predict its duration.

    Attributes:
        group: its kind and components, such as ``explain gradcam``
        network: backbone, input size, precision and number of devices; empty if it computes with no network
        amount: floating-point operations per device, or images of a detection; None if unknown
        scale: of ``amount``
    """

    group: str
    network: str = ""
    amount: float | None = None
    scale: int = SCALE

    @property
    def comparable(self) -> bool:
        """Whether ``amount`` compares with those of this version."""
        return self.scale == SCALE or self.group.partition(" ")[0] not in RESCALED

    def record(self) -> dict[str, Any]:
        """As JSON, for the claim of an attempt."""
        return asdict(self)


def workloads(plan: Plan) -> dict[str, Workload]:
    """The workload of each stage of a plan, by id."""
    cells = {cell.id: cell for cell in plan.cells if cell.id is not None}
    flops = {id: found["flops"] for id, found in (plan.costs or cost(plan, plan.resolver))["cells"].items()}
    found = {}
    for stage in plan.stages:
        cell: Any = cells[stage.cells[0]].cell
        found[stage.id] = _workload(stage, flops.get(stage.cells[0]), cell.search, plan.resolver)
    return found


def shard_workload(whole: Workload, shard: DetectionShard) -> Workload:
    """The workload of a part of a detection."""
    detector = whole.group.partition(" ")[2]
    return Workload(f"{DETECT_SHARD} {detector}", "", float(shard.stop - shard.start))


def _workload(stage: PlannedStage, flops: float | None, search: Any, resolver: InputResolver) -> Workload:
    config = stage.node.config
    if (detection := config.get("detection")) is not None:
        return Workload(f"{stage.stage} {detection.detector.name}", "", _images(resolver, lambda: detection.data))
    training: Any = config.get("training")
    names = [part.name for key, part in config.items() if key != "training" and hasattr(part, "name")]
    if training is None or not stage_kind(stage.stage).device:
        return Workload(" ".join([stage.stage, *names]))
    compute = training.compute
    kind = stage.stage
    network = f"{training.backbone.name} {training.input.pixels} px {compute.precision}, {compute.devices} devices"
    if stage_kind(stage.stage).epochs or "slot" in config:
        epochs = _epochs(config, search)
        images = _images(resolver, lambda: training.data) if epochs else None
        seen = (images or 0) * (1 - training.split.fraction) * training.split.share * epochs
        kind = stage.stage if epochs else f"{stage.stage}:weights"  # nothing is trained, so it takes no time like a training
        times: float = BACKWARD * seen / compute.devices
    else:
        times = _passes(config, resolver)
    return Workload(" ".join([kind, *names]), network, flops * times if flops and times else None)


def _epochs(config: Mapping[str, Any], search: Any) -> int:
    """The epochs that a stage trains; a trial goes on where the rung before ended."""
    slot = config.get("slot")
    if slot is not None:
        return int(slot.epochs - (search.rungs[slot.rung - 1] if slot.rung and search is not None else 0))
    recipe = config["training"].recipe
    return int(recipe.epochs) if recipe.trains else 0


def _passes(config: Mapping[str, Any], resolver: InputResolver) -> float:
    """Forward passes of a stage after the training, as far as they are known before; what else it does is in its group."""
    training: Any = config["training"]
    if (explainer := config.get("explainer")) is not None:
        size = (training.input.size, training.input.width or training.input.size)
        each = 1.0 if "score" in config else explainer.passes(training.head.dimension, size)
        return float(each * (2 * explainer.pairs or explainer.images or 1))
    protocol: Any = config.get("protocol")
    if protocol is None:
        return 1.0
    images = _images(resolver, lambda: resolver.dataset(protocol))
    views = (2 if protocol.flip_test else 1) * (1 if protocol.multi_crop is None else 5)
    return (images or 0.0) * views


def _images(resolver: InputResolver, data: Callable[[], DatasetConfig]) -> float | None:
    try:
        return float(len(resolver.manifest(data()).keys))
    except (Blocked, ValueError):
        return None

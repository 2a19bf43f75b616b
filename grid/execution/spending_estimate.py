"""What a launch would take on a cluster of some shape: wall time, GPU-hours, CPU-hours and money, each with an interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from grid.execution.job import jobs_of, settings_of
from grid.execution.makespan import NoRoom, Piece, makespan
from grid.execution.measured_order import ordering
from grid.execution.peaks import Peaks
from grid.execution.phases import phases
from grid.execution.ray_start import of_kinds, reserved
from grid.execution.scheduler import Work, queue_of
from grid.execution.slots import Slots, room
from grid.ledger.attempt_times import CPU, GPU
from grid.plan.durations import Durations, Fit, on_device
from grid.plan.history import Duration, measured
from grid.plan.plan import BLOCKED, PENDING, Plan, store_of
from grid.plan.workload import Workload, workloads
from grid.spec.cell_filter import which
from grid.spec.cluster_shape import parse_shape
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch
from grid.spec.stage_kind import stage_kind
from grid.terminal import clock_words, command, counted

LEVEL = (0.05, 0.5, 0.95)  # quantiles: a 90 % interval and the median
DRAWS, FEWEST, PIECES = 200, 20, 200_000  # samples of all durations; fewer where draws times pieces would exceed PIECES


@dataclass(frozen=True)
class Interval:
    """A median, and the ends of a 90 % prediction interval."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """What the open stages of a plan would take.

    Attributes:
        seconds: wall time
        hours: "CPU" and "GPU" -> hours reserved by units of work
        cost: of these hours; ``cost_of_cluster``: of all devices until the end. None without prices for them, or if the number
            of cores is not known and they have a price
        measured: durations that the estimate is made of
        unknown: kinds of stages with no history on these devices -> the number of stages, which are left out
        examples: levels of cells that together have all such kinds, each as ``--where`` takes them
        left_out: cells that have no stages yet
        without_price: the GPU that has no price though something else has one
    """

    cluster: str
    seconds: Interval
    hours: Mapping[str, Interval]
    cost: Interval | None
    cost_of_cluster: Interval | None
    currency: str
    stages: int
    measured: int
    unknown: Mapping[str, int]
    examples: Sequence[str]
    left_out: int
    without_price: str | None = None

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def device_of(kind: str, launch: Launch, gpu: str | None) -> str:
    """The device of a kind of stage: "cpu", or ``gpu``, the type of the GPUs that there are (None: there are none)."""
    if gpu is None or launch.resources_of(kind).gpus == 0 or not stage_kind(kind).device:
        return "cpu"
    return gpu


def expected_seconds(
    works: Mapping[str, Workload], durations: Durations, launch: Launch, gpu: str | None
) -> dict[str, float | None]:
    """Stage id -> its median duration; None if nothing of its kind was measured on its device."""
    found: dict[str, float | None] = {}
    for id, work in works.items():
        fit = durations.of(work, device_of(_kind(work), launch, gpu))
        found[id] = None if fit is None else fit.seconds(work.amount)
    return found


def on_its_device(one: Duration, launch: Launch, gpu: str | None) -> bool:
    """Whether a stage was measured on the device that a launch has for its kind, see ``device_of``."""
    return on_device(one.device, device_of(_kind(one.workload), launch, gpu))


def _kind(work: Workload) -> str:
    return work.group.partition(" ")[0].partition(":")[0]


def estimate(plan: Plan, cluster: str) -> Estimate:
    """The estimate for a cluster, see ``grid.spec.cluster_shape``.

    Raises:
        BadInput: no node has room for some unit of work.
    """
    launch, groups = plan.grid.spec.launch, parse_shape(cluster)
    types = {group.type for group in groups if group.gpus}
    gpu = next(iter(types), None) or ("gpu" if types else None)
    nodes = [_node(group.gpus, group.cpus, group.type, launch) for group in groups for _ in range(group.nodes)]
    works = workloads(plan)
    durations = Durations(measured(plan, works))
    stages = {stage.id: stage for stage in plan.stages}
    fits = {id: durations.of(work, device_of(stages[id].stage, launch, gpu)) for id, work in works.items()}
    order = ordering(works, [one for one in durations.measured if on_its_device(one, launch, gpu)])
    jobs = jobs_of(plan.stages, store_of(plan.grid), **settings_of(launch))
    queue = queue_of(plan, jobs, None, order)
    open_ids = {work.id: [job.id for job in work.jobs if job.id in queue.missing] for work in queue.waiting.values()}
    first = reserved(launch.resources, nodes)
    slots = Slots(first, nodes, of_kinds(launch, first, nodes), launch.measured)
    peaks = Peaks(plan.study if launch.measures else None)
    pieces, stages_of, parts = _pieces(queue.waiting.values(), open_ids, works, slots, peaks, launch)
    unmeasured = [id for ids in open_ids.values() for id in ids if fits[id] is None]
    random = np.random.default_rng(0)
    rows = []
    for _ in range(min(DRAWS, max(FEWEST, PIECES // max(1, len(pieces))))):
        seconds = _drawn(pieces, parts, stages_of, fits, works, random)
        hours = {name: sum(_held(piece, name) * seconds[piece.id] for piece in pieces) / 3600 for name in (CPU, GPU)}
        try:
            rows.append((makespan(pieces, seconds, nodes, launch.concurrency), *hours.values()))
        except NoRoom as error:
            title = next(work.title for id, work in queue.waiting.items() if str(error).startswith(id))
            raise BadInput(f"launch.cluster {cluster!r} has no room for {title}; use larger or more nodes") from error
    wall, cpu, gpus = np.array(rows).T
    prices = launch.prices
    of_gpu = prices.of_gpu(gpu) if gpu else 0.0
    priced = prices.named and of_gpu is not None
    cores = sum(node[CPU] for node in nodes)  # infinite if their number is not known
    whole = {CPU: cores if prices.cpu_hour else 0.0, GPU: sum(node[GPU] for node in nodes if np.isfinite(node[GPU]))}
    cost = cpu * prices.cpu_hour + gpus * (of_gpu or 0.0)
    held = (whole[CPU] * prices.cpu_hour + whole[GPU] * (of_gpu or 0.0)) * wall / 3600
    return Estimate(
        cluster,
        _interval(wall),
        {CPU: _interval(cpu), GPU: _interval(gpus)},
        _interval(cost) if priced else None,
        _interval(held) if priced and np.isfinite(whole[CPU]) else None,
        prices.currency,
        sum(map(len, open_ids.values())),
        len(durations.measured),
        dict(Counter(stages[id].stage for id in unmeasured)),
        _examples(plan, {id: stages[id].stage for id in unmeasured}),
        sum(cell.state in (PENDING, BLOCKED) for cell in plan.cells),
        gpu if prices.named and of_gpu is None else None,
    )


def _examples(plan: Plan, unknown: Mapping[str, str]) -> list[str]:
    """Few cells that have stages of all unknown kinds: in each step, that with the most kinds that the others lack.

    Args:
        unknown: stage id -> its kind
    """
    cells = [(cell, {unknown[id] for id in cell.stages.values() if id in unknown}) for cell in plan.cells if cell.id]
    lacking, found = set().union(*(kinds for _, kinds in cells)), []
    while lacking:
        cell, kinds = max(cells, key=lambda one: len(lacking & one[1]))
        found.append(which(cell.levels))
        lacking -= kinds
    return found


def _node(gpus: int, cpus: int | None, type: str | None, launch: Launch) -> dict[str, float]:
    """The resources of a node, as Ray names them; what the shape does not tell has no limit."""
    several = [launch.resources, *(launch.resources_of(kind) for kind in launch.stage_resources)]
    custom = {name for one in several for name in one.custom if not name.startswith("accelerator_type:")}
    found = dict.fromkeys(["memory", *custom], float("inf"))
    found |= {CPU: float("inf") if cpus is None else float(cpus), GPU: float(gpus)}
    return found | ({f"accelerator_type:{type}": 1.0} if type else {})


def _pieces(
    waiting: Iterable[Work],
    open_ids: Mapping[str, Sequence[str]],
    works: Mapping[str, Workload],
    slots: Slots,
    peaks: Peaks,
    launch: Launch,
) -> tuple[list[Piece], dict[str, list[str]], dict[str, tuple[str, int]]]:
    """The pieces in the order of the queue, one for each phase of a unit of work; the ids of all begin with that of the unit.

    Also the stages of each piece, and of those that are parts of a detection: the stage, and the number of parts.
    """
    makers = {id: work for work, ids in open_ids.items() for id in ids}
    found: list[Piece] = []
    stages_of: dict[str, list[str]] = {}
    parts: dict[str, tuple[str, int]] = {}
    for work in waiting:
        ids = open_ids[work.id]
        todo = [job for job in work.jobs if job.id in ids]
        needs = frozenset(makers[need] for need in work.needs if need in makers and makers[need] != work.id)
        amount = works[work.jobs[0].id].amount
        number = -(-int(amount) // launch.detect_images) if amount and stage_kind(work.jobs[0].kind).parts else 1
        if number > 1:
            names = [f"{work.id}-{part}" for part in range(number)]
            found += [Piece(name, needs, slots.suited([work.jobs[0].kind])) for name in names]
            parts |= dict.fromkeys(names, (work.jobs[0].id, number))
            needs = frozenset(names)
        rest, peak = phases(todo or work.jobs, slots), None
        while rest:
            phase = rest.pop(0)
            kinds, needed = [job.kind for job in phase], max(job.devices for job in phase)
            peak = peak or peaks.of(phase, slots.suited(kinds), slots.nodes)
            slot = slots.suited(kinds, peak, needed)
            devices = max(needed, min(room(slot, slots.nodes), max(job.usable_devices for job in phase)))
            name = f"{work.id}+{len(rest)}" if rest else work.id  # the last one has the name that other work needs
            found.append(Piece(name, needs, slot, devices))
            stages_of[name] = [job.id for job in phase if job.id in ids]
            needs = frozenset([name])
    return found, stages_of, parts


def _drawn(
    pieces: Sequence[Piece],
    parts: Mapping[str, tuple[str, int]],
    stages_of: Mapping[str, Sequence[str]],
    fits: Mapping[str, Fit | None],
    works: Mapping[str, Workload],
    random: np.random.Generator,
) -> dict[str, float]:
    """A sample of the seconds of each piece; stages without history take none."""
    draws: dict[Fit, Any] = {}
    split = {stage for stage, _ in parts.values()}

    def seconds(id: str) -> float:
        if (fit := fits[id]) is None:
            return 0.0
        if fit not in draws:
            draws[fit] = fit.draw(random)
        return float(draws[fit](works[id].amount))

    found = {}
    for piece in pieces:
        if piece.id in parts:
            stage, number = parts[piece.id]
            found[piece.id] = seconds(stage) / number
        else:
            found[piece.id] = sum(seconds(one) for one in stages_of[piece.id] if one not in split)
    return found


def _held(piece: Piece, resource: str) -> float:
    return piece.slot.get(resource, 0.0) * piece.devices


def _interval(values: Any) -> Interval:
    return Interval(*map(float, np.quantile(values, LEVEL)))


def estimate_lines(found: Estimate, grid_file: str) -> list[str]:
    """The estimate in words: a line of numbers, then what is left out."""
    if not found.stages:
        return [f"cluster {found.cluster}: nothing to run"]
    lines = []
    if found.unknown:
        kinds = ", ".join(f"{counted(number, 'stage')} of kind {kind}" for kind, number in found.unknown.items())
        launch = command("facegrid", "launch", grid_file)
        how = " and ".join(f"`{' '.join([launch, where]).strip()}`" for where in found.examples or [""])
        lines.append(f"unknown: {kinds} have no history on such devices and are left out; measure them with {how} there")
    if found.without_price:
        lines.append(f"no amount of money: launch.prices.gpu_hour has no price for {found.without_price}; add it, or any")
    if found.left_out:
        lines.append(f"left out: {counted(found.left_out, 'cell')} whose stages are not known before the images were read")
    if found.measured and sum(found.unknown.values()) < found.stages:
        hours = [f"{_words(found.hours[name])} {name}-hours" for name in (GPU, CPU) if found.hours[name].high]
        wall = f"{_clock(found.seconds.median)} ({_clock(found.seconds.low)} to {_clock(found.seconds.high)})"
        lines.insert(
            0,
            f"cluster {found.cluster}: wall time {wall}, {', '.join(hours)}{_money(found)}; 90 % intervals, from "
            f"{counted(found.measured, 'measured stage')}",
        )
    return lines


def _money(found: Estimate) -> str:
    if found.cost is None:
        return ""
    whole = "for all nodes to the end: not known without their number of cores"
    if found.cost_of_cluster is not None:
        whole = f"{found.currency} {found.cost_of_cluster.median:.3g} for all nodes to the end"
    return f", {found.currency} {_words(found.cost)} ({whole})"


def _words(one: Interval) -> str:
    return f"{one.median:.3g} ({one.low:.3g} to {one.high:.3g})"


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock_words(seconds)

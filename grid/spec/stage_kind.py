"""Defines a kind of stage: everything that planning, running, reporting and tracking need to know about it, in one class.

A built-in kind is a file in ``grid/stages/kinds``, found by its name. The kinds that a grid file lists under ``stages`` are
files in ``grid/stages/extra`` or, with a dotted path, modules of the user. There is no other list of kinds.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, ClassVar

from configs.component import Config, digest
from configs.lookup import PACKAGES, known, module_named, resolve
from configs.staging import StageConfig
from grid.spec.cell import ID_LENGTH, Cell, Facts
from grid.spec.finished import Finished
from grid.spec.measure import Measure, Measured, entry_of, is_number, measures_in, metric_name
from grid.spec.stage_name import DETECT, TRAIN, StageName
from grid.spec.training import Training

PACKAGE = "grid.stages.kinds"
RESULT = "result.json"
COUNTS = ("pairs", "probes", "images", "templates")  # keys of a result that say how many of these are behind its numbers
MOST = 15  # maximum number of metrics of one stage in tracking
__all__ = ["TRAIN", "Stage", "StageKind", "StageName", "cell_id", "known_kind", "stage_kind", "stages_of"]


@dataclass(frozen=True)
class Stage:
    """One node of the graph: what to compute (``config``), its id, and the stages it depends on.

    ``inputs`` has the same stages as ``needs``, by the names under which ``run`` finds them in ``Context.inputs``.
    """

    label: StageName  # unique within the cell
    id: str
    config: Mapping[str, Any]  # name -> Config: sent to the worker
    needs: tuple[str, ...]  # upstream ids
    identity: Any
    inputs: Mapping[str, str] = field(default_factory=dict)  # name -> upstream id

    @property
    def kind(self) -> str:
        return self.label.kind


@dataclass
class Graph:
    """The stages of one cell during construction, upstream stages first."""

    cell: Cell
    facts: Facts
    stages: list[Stage] = field(default_factory=list)

    @cached_property
    def training(self) -> Training:
        """The training part of the cell; its stages share one object, which counts in a plan of 100,000 cells."""
        return self.cell.training()

    def add(
        self,
        label: StageName,
        identity: Mapping[str, Any],
        config: Mapping[str, Config],
        needs: Iterable[Stage | None] | Mapping[str, Stage | None],
    ) -> Stage:
        """Adds a stage, unless the cell already has one with that label.

        Args:
            identity: what the result depends on, as a JSON value; it includes the ids in ``needs`` that affect the result.
            needs: the stages whose outputs it reads, by the names under which ``run`` finds them in ``Context.inputs``; without
                names, each has its label, such as ``train`` or ``detect:data``. None entries are stages that are not needed.
        """
        id = digest({"stage": label.kind, **identity})[:ID_LENGTH]
        named = needs if isinstance(needs, Mapping) else {need.label: need for need in needs if need}
        inputs = {str(name): need.id for name, need in named.items() if need}
        stage = Stage(label, id, config, tuple(sorted(set(inputs.values()))), identity, inputs)
        if all(other.label != label for other in self.stages):
            self.stages.append(stage)
        return stage

    def of(self, kind: str) -> list[Stage]:
        """The stages of a kind added so far."""
        return [stage for stage in self.stages if stage.kind == kind]

    @property
    def train(self) -> Stage:
        """The cell's training."""
        return self.of(TRAIN.kind)[0]

    @property
    def detected(self) -> list[Stage]:
        """The detections of the training data, which ``grid.stages.context.faces_of`` reads."""
        return [stage for stage in self.of(DETECT) if stage.id in self.train.needs]


class StageKind:
    """One kind of stage. The defaults suit a user-defined stage: it runs after the training, and nothing else depends on it.

    Attributes:
        order: kinds are added to a cell, and scheduled, in ascending order; a stage needs only kinds with a lower order.
        shared: a stage is a separate unit of work, because several cells need it; otherwise it runs with the rest of its cell.
        leaf: if a stage fails, the other stages of its cell still run, except those that depend on it.
        listed: plans and descriptions of work name each stage; otherwise a summary stands for all of them.
        starts: a cell counts as started once such a stage has started.
        epochs: it writes an event per epoch, from which curves are drawn.
        epochs_in: the part of a cell's config whose ``epochs`` is their number; empty: unknown.
        device: it computes with networks; otherwise it never reserves a GPU.
        divisible: its images are divided among the devices of the cell, see ``grid.stages.shared_inference``.
        parts: the kind whose stages are parts of a stage of this kind; empty: it is computed as one.
        explains: ``facegrid explain`` adds such stages to a finished study.
        maps: its outputs are an explanation, which reports and tracking draw; see ``grid.results.explanation_reader``.
        computes: the module whose ``run(config, context)`` computes it; empty: the kind's own module.
        configs: how a worker rebuilds each part of the config: a class, or the kind of component.
    """

    order: ClassVar[int] = 100
    shared: ClassVar[bool] = False
    leaf: ClassVar[bool] = True
    listed: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    epochs: ClassVar[bool] = False
    epochs_in: ClassVar[str] = ""
    device: ClassVar[bool] = True
    divisible: ClassVar[bool] = False
    parts: ClassVar[str] = ""
    explains: ClassVar[bool] = False
    maps: ClassVar[bool] = False
    computes: ClassVar[str] = ""
    configs: ClassVar[Mapping[str, type[Config] | str]] = {"training": Training, "settings": "stage"}

    def __init__(self, name: str) -> None:
        self.name = name

    def plan(self, graph: Graph) -> None:
        """Adds the stages of this kind requested by the cell: by default one for each entry under ``stages`` with its name."""
        for settings, label in self.asked(graph):
            identity = {"train": graph.train.id, "settings": settings.identity()}
            config = {"training": graph.training, "settings": settings}
            graph.add(label, identity, config, [graph.train, *graph.detected])

    def asked(self, graph: Graph) -> Iterator[tuple[Any, StageName]]:
        """The entries of the cell under ``stages`` that have the name of this kind, each with the name of its stage."""
        for settings in graph.cell.stages:
            assert isinstance(settings, StageConfig)
            if settings.name == self.name:
                yield settings, StageName(self.name, *([settings.label] if settings.label else []))

    def heading(self, label: StageName) -> str:
        """The heading of its columns in tables."""
        return str(label)

    @property
    def curves(self) -> str:
        """The group of its per-epoch metrics in tracking."""
        return f"Learning curves {self.name}"

    def about(self, label: StageName) -> Mapping[str, str]:
        """Columns of the long table that are the same for all numbers of a stage: ``protocol``, ``explainer``, ``split``."""
        return {"protocol": label.about} if label.titles else {}

    def summary(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts of a finished stage that ``status`` shows, under the stage's heading: by default the numbers."""
        return {key: value for key, value in facts.items() if is_number(value) and key != "seconds"}

    def result(self, stage: Finished) -> Mapping[str, Any] | None:
        """The result of a finished stage shown in tables: a JSON value with entries, see ``Measure.key``; None: nothing.

        By default the content of ``result.json`` or, without it, the numbers in the stage's facts.
        """
        if RESULT in stage.outputs:
            found: Mapping[str, Any] = stage.json(RESULT)
            return found
        return {key: {"value": value} for key, value in StageKind.summary(self, stage.facts).items()}

    def measured(self, stage: Finished) -> Iterable[Measured]:
        """The numbers of a finished stage in the long table: by default one per entry of its result."""
        if (result := self.result(stage)) is not None:
            yield from measured_in(result)

    def group(self, found: Sequence[Mapping[str, Any]]) -> str:
        """The group under which results are listed on a terminal: all results of a group have the same columns."""
        return self.name

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        """The table columns, given the results of several cells."""
        return measures_in(found)

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """The numbers of a finished stage logged to tracking, by name; the parts of a name are groups.

        By default those of tables, headlines first.
        """
        result = self.result(stage)
        if result is None:
            return {}
        measures = sorted(self.measures([result]), key=lambda one: not one.headline)[:MOST]
        entries = {one.key: entry_of(result, one.key) for one in measures}
        return {self.metric(stage.label, key): entry["value"] for key, entry in entries.items() if entry}

    def metric(self, label: StageName, key: str) -> tuple[str, ...]:
        """The name in tracking of a measure with that key: the groups, then the quantity."""
        heading = self.heading(label)
        return (*((label.kind, *label.titles) if heading == label else (heading,)), metric_name(key))

    def tags(self, stage: Finished) -> Mapping[tuple[str, ...], str]:
        """Texts of a finished stage that tracking stores as tags, by name: by default none."""
        return {}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """The outputs that tracking stores, each with its path in the run as a tuple of parts."""
        return {name: (self.name, *stage.label.titles, name) for name in stage.outputs}

    def figures(self, stage: Finished) -> Mapping[tuple[str, ...], bytes]:
        """PNG that tracking draws from the numbers of a finished stage, each with its path in the run: by default none."""
        return {}

    def pictures(self, stage: Finished, faces: bool) -> Sequence[str]:
        """The outputs, PNG or GIF, that the report shows; with ``faces`` false only those without recognizable faces.

        By default all of them, or none.
        """
        return tuple(name for name in sorted(stage.outputs) if name.endswith((".png", ".gif"))) if faces else ()

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        """The outputs that reports read; if one of them is damaged, reports treat the stage as unfinished."""
        return outputs

    def rebuilt(self, parts: Mapping[str, Any]) -> dict[str, Config]:
        """The configs of a stage, rebuilt from JSON.

        Raises:
            ValueError: a component cannot be found, or does not accept these settings.
        """
        found: dict[str, Config] = {}
        for name, value in parts.items():
            how = self.configs[name]
            found[name] = resolve(how, value) if isinstance(how, str) else how.model_validate(value)
        return found

    @property
    def module(self) -> str:
        """The module that defines ``run``."""
        return self.computes or type(self).__module__

    def sources(self, configs: Iterable[Config]) -> set[str]:
        """The modules whose code affects the results of a stage with these configs, besides those of the components in them."""
        return {self.module}

    def run(self, config: Mapping[str, Any], context: Any) -> Any:
        """Computes a stage; see ``Context`` and ``Result`` in ``grid.stages.context``."""
        return importlib.import_module(self.module).run(config, context)


class IntermediateKind(StageKind):
    """A kind whose outputs only other stages read: it has nothing in tables, ``status`` and tracking."""

    def result(self, stage: Finished) -> None:
        """None."""

    def summary(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        return {}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ()


def measured_in(result: Mapping[str, Any]) -> Iterable[Measured]:
    """One number per entry of a JSON value that has a ``value``, such as ``metrics.json``; the metric is the path to it."""
    count = next((int(result[key]) for key in COUNTS if isinstance(result.get(key), int)), None)
    for measure in measures_in([result]):
        entry = entry_of(result, measure.key)
        assert entry is not None
        yield Measured(measure.key, entry, count)


@cache
def stage_kind(name: str) -> StageKind:
    """The kind with that name.

    Raises:
        ValueError: there is none.
    """
    module = module_named("stage kind", name, PACKAGES["stage"] if name in known("stage") else PACKAGE)
    found = getattr(module, "Kind", None)
    if found is None and hasattr(module, "run"):
        found = type("Kind", (StageKind,), {"__module__": module.__name__})
    if not (isinstance(found, type) and issubclass(found, StageKind)):
        raise ValueError(
            f"stage kind {name!r}: the module has neither a class Kind, a grid.spec.stage_kind.StageKind, nor run()"
        )
    return found(name)


def known_kind(name: str) -> StageKind:
    """Like ``stage_kind``, for reading results: if a user's module is unavailable, uses the defaults for user-defined kinds."""
    try:
        return stage_kind(name)
    except ValueError:
        return StageKind(name)


@cache
def built_in() -> tuple[StageKind, ...]:
    """The built-in kinds, in ascending order."""
    package = importlib.import_module(PACKAGE)
    found = [stage_kind(module.name) for module in pkgutil.iter_modules(package.__path__)]
    return tuple(sorted(found, key=lambda kind: kind.order))


def kinds_of(cell: Cell) -> Sequence[StageKind]:
    """The kinds of stages that a cell may have, in ascending order."""
    own = [stage_kind(name) for name in dict.fromkeys(settings.name for settings in cell.stages)]
    return sorted([*built_in(), *own], key=lambda kind: kind.order) if own else built_in()


def stages_of(cell: Cell, facts: Facts) -> list[Stage]:
    """The stages of a cell in a valid execution order."""
    graph = Graph(cell, facts)
    for kind in kinds_of(cell):
        kind.plan(graph)
    return graph.stages


def cell_id(train: Stage, factors: Mapping[str, str]) -> str:
    """The id of a cell: its training and its factors, without axes at their birth level, which the caller omits."""
    return digest({"cell": train.id, "factors": dict(factors)})[:ID_LENGTH]

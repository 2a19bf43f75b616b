"""What a kind of stage is: everything that planning, running, reporting and tracking must know of it, in one type.

A built-in kind is a file of ``grid/stages/kinds``, found by its name; a kind of a user's own is a module that a grid file names
by its dotted path under ``stages``. Nothing else lists the kinds.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

from configs.component import Config, digest
from configs.lookup import resolve
from configs.staging import StageConfig
from grid.spec.cell import ID_LENGTH, Cell, Facts
from grid.spec.finished import Finished
from grid.spec.measure import Measure, entry_of, measures_in, metric_name
from grid.spec.stage_name import TRAIN, StageName, named
from grid.spec.training import Training

PACKAGE = "grid.stages.kinds"
RESULT = "result.json"
MOST = 15  # numbers of one stage in tracking
__all__ = ["TRAIN", "Stage", "StageKind", "StageName", "cell_id", "known_kind", "named", "stage_kind", "stages_of"]


@dataclass(frozen=True)
class Stage:
    """One node of the graph: what to compute (``config``), under which id, after which others."""

    label: StageName  # unique within the cell
    id: str
    config: Mapping[str, Any]  # name -> Config: what the worker gets
    needs: tuple[str, ...]  # ids, upstream
    identity: Any

    @property
    def kind(self) -> str:
        return self.label.kind


@dataclass
class Graph:
    """The stages of one cell while they are added, upstream first."""

    cell: Cell
    facts: Facts
    stages: list[Stage] = field(default_factory=list)

    def add(
        self, label: StageName, identity: Mapping[str, Any], config: Mapping[str, Config], needs: Iterable[Stage | None]
    ) -> Stage:
        """Adds a stage, unless the cell has one of that label.

        Args:
            identity: what the result depends on, as a JSON value; ids of ``needs`` that count are stated in it.
            needs: the stages whose outputs it reads; None stands for one that is not needed.
        """
        id = digest({"stage": label.kind, **identity})[:ID_LENGTH]
        stage = Stage(label, id, config, tuple(sorted({need.id for need in needs if need})), identity)
        if all(other.label != label for other in self.stages):
            self.stages.append(stage)
        return stage

    def of(self, kind: str) -> list[Stage]:
        """The stages of a kind that were added so far."""
        return [stage for stage in self.stages if stage.kind == kind]

    @property
    def train(self) -> Stage:
        """The cell's training."""
        return self.of("train")[0]


class StageKind:
    """One kind of stage. The defaults describe a stage of a user's own: it runs after the training and settles nothing else.

    Attributes:
        order: kinds are added to a cell, and handed out, by rising order; what a stage needs has a lower one.
        shared: a stage is work of its own, since several cells need it; otherwise it runs with the rest of its cell.
        leaf: if a stage fails, the others of its cell run all the same, but for those that need it.
        starts: a cell counts as begun when such a stage of it began.
        epochs: it leaves an event per epoch, and curves are drawn of them.
        computes: the module whose ``run(config, context)`` computes it; empty: the kind's own module.
        configs: how each part of the config is built again in a worker: a class, or the kind of component that it is.
    """

    order: ClassVar[int] = 100
    shared: ClassVar[bool] = False
    leaf: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    epochs: ClassVar[bool] = False
    computes: ClassVar[str] = ""
    configs: ClassVar[Mapping[str, type[Config] | str]] = {"training": Training, "settings": "stage"}

    def __init__(self, name: str) -> None:
        self.name = name

    def plan(self, graph: Graph) -> None:
        """Adds the stages of this kind that the cell asks for: here one for each entry under ``stages`` that names it."""
        for settings in graph.cell.stages:
            assert isinstance(settings, StageConfig)
            if settings.name == self.name:
                titles = [settings.label] if settings.label else []
                identity = {"train": graph.train.id, "settings": settings.identity()}
                config = {"training": graph.cell.training(), "settings": settings}
                graph.add(StageName(self.name, *titles), identity, config, [graph.train])

    def heading(self, label: StageName) -> str:
        """What stands over its columns in tables."""
        return str(label)

    def result(self, stage: Finished) -> Mapping[str, Any] | None:
        """What tables show of a finished stage: a JSON value with entries, see ``Measure.key``; None: nothing.

        Here what the stage wrote to ``result.json``, or else the numbers among its facts.
        """
        if RESULT in stage.outputs:
            found: Mapping[str, Any] = stage.json(RESULT)
            return found
        return {key: {"value": value} for key, value in stage.facts.items() if _is_number(value) and key != "seconds"}

    def group(self, found: Sequence[Mapping[str, Any]]) -> str:
        """What results are listed together with in a terminal: those of one group have columns of one form."""
        return self.name

    def measures(self, found: Sequence[Mapping[str, Any]]) -> Sequence[Measure]:
        """The columns of tables, given the results of several cells."""
        return measures_in(found)

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        """The numbers that tracking shows of a finished stage, by name; the parts of a name are groups. Here those of tables,
        headlines first."""
        result = self.result(stage)
        if result is None:
            return {}
        measures = sorted(self.measures([result]), key=lambda one: not one.headline)[:MOST]
        entries = {one.key: entry_of(result, one.key) for one in measures}
        label, heading = stage.label, self.heading(stage.label)
        groups = (label.kind, *label.titles) if heading == label else (heading,)
        return {(*groups, metric_name(key)): entry["value"] for key, entry in entries.items() if entry}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """Which of its outputs tracking keeps, each with its path in the run, part by part."""
        return {name: (self.name, *stage.label.titles, name) for name in stage.outputs}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        """The outputs that reports read; a stage in which one of them is damaged counts as unfinished there."""
        return outputs

    def rebuilt(self, parts: Mapping[str, Any]) -> dict[str, Config]:
        """The configs of a stage, from JSON.

        Raises:
            ValueError: a component cannot be found, or does not take these settings.
        """
        found: dict[str, Config] = {}
        for name, value in parts.items():
            how = self.configs[name]
            found[name] = resolve(how, value) if isinstance(how, str) else how.model_validate(value)
        return found

    @property
    def module(self) -> str:
        """The module that has ``run``."""
        return self.computes or type(self).__module__

    def sources(self, configs: Iterable[Config]) -> set[str]:
        """The modules whose code decides the results of a stage with these configs, beside those of the components in them."""
        return {self.module}

    def run(self, config: Mapping[str, Any], context: Any) -> Any:
        """Computes a stage: ``grid.stages.context`` has ``Context`` and ``Result``."""
        return importlib.import_module(self.module).run(config, context)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@cache
def stage_kind(name: str) -> StageKind:
    """The kind of that name.

    Raises:
        ValueError: there is none.
    """
    path = name if "." in name else f"{PACKAGE}.{name}"
    try:
        module = importlib.import_module(path)
    except ImportError as error:
        raise ValueError(f"stage kind {name!r} is no module that can be imported here ({error})") from error
    found = getattr(module, "Kind", None)
    if found is None and hasattr(module, "run"):
        found = type("Kind", (StageKind,), {"__module__": path})
    if not (isinstance(found, type) and issubclass(found, StageKind)):
        raise ValueError(
            f"stage kind {name!r}: the module has neither a class Kind, a grid.spec.stage_kind.StageKind, nor run()"
        )
    return found(name)


def known_kind(name: str) -> StageKind:
    """As ``stage_kind``, for reading results: where a user's module is not at hand, what holds for such kinds by default."""
    try:
        return stage_kind(name)
    except ValueError:
        return StageKind(name)


@cache
def built_in() -> tuple[StageKind, ...]:
    """The kinds of this project, by rising order."""
    package = importlib.import_module(PACKAGE)
    found = [stage_kind(module.name) for module in pkgutil.iter_modules(package.__path__)]
    return tuple(sorted(found, key=lambda kind: kind.order))


def kinds_of(cell: Cell) -> Sequence[StageKind]:
    """The kinds that a cell may have stages of, by rising order."""
    own = [stage_kind(name) for name in dict.fromkeys(settings.name for settings in cell.stages)]
    return sorted([*built_in(), *own], key=lambda kind: kind.order) if own else built_in()


def stages_of(cell: Cell, facts: Facts) -> list[Stage]:
    """The stages of a cell in an order in which they can run."""
    graph = Graph(cell, facts)
    for kind in kinds_of(cell):
        kind.plan(graph)
    return graph.stages


def cell_id(train: Stage, factors: Mapping[str, str]) -> str:
    """The id of a cell: its training and its factors, an axis at its birth level left out by the caller."""
    return digest({"cell": train.id, "factors": dict(factors)})[:ID_LENGTH]

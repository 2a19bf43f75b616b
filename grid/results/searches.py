"""The searches of a study: their trials, how far each was trained, and which was chosen. Read from the ledger only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from grid.ledger.ledger import Marker
from grid.ledger.study import CellView, Study
from grid.spec.search import METRIC, Layer, Search, layers_of, words
from grid.spec.stage_name import SEARCH, TRIAL, StageName
from grid.stages.asha import trained


@dataclass(frozen=True)
class Trial:
    """One stack of dense layers.

    Attributes:
        number: from 1
        stages: the finished trainings, rung by rung: name and marker
        layers: first to last
        chosen: whether the search chose it; False while the search runs
    """

    number: int
    stages: tuple[tuple[StageName, Marker], ...]
    layers: Sequence[Layer]
    metric: str
    chosen: bool

    @property
    def facts(self) -> Mapping[str, Any]:
        """Of its last training."""
        return self.stages[-1][1].facts

    @property
    def rung(self) -> int:
        """The last rung that it was trained in, from 1."""
        return int(self.facts["rung"]) + 1

    @property
    def value(self) -> float | None:
        """The metric after its last epoch; None if the loss was not finite, or the validation has no such metric."""
        return None if self.facts.get("diverged") else self.facts["metrics"].get(self.metric)

    @property
    def promotions(self) -> list[Mapping[str, int]]:
        """With ``asha``, for each later rung: its ``rank`` among the results ``of`` the rung before, when it went on."""
        return [marker.facts["promoted"] for _, marker in self.stages if marker.facts.get("promoted")]

    @property
    def text(self) -> str:
        """Its layers in words."""
        return words(list(self.layers))


@dataclass(frozen=True)
class SearchView:
    """A search, and the cells that use its result.

    Attributes:
        id: of the stage that ends it
        done: the number of finished trainings, with ``asha`` also of those that were not needed
        trials: those that were trained in the first rung, by number
    """

    id: str
    cells: tuple[CellView, ...]
    search: Search
    done: int
    trials: tuple[Trial, ...]

    @property
    def planned(self) -> int:
        """The number of trainings, finished or not; with ``asha`` also of those that are not needed."""
        return self.search.stages

    @property
    def reached(self) -> tuple[int, ...]:
        """The number of trials trained in each rung, as planned, or with ``asha`` so far."""
        if not self.search.asynchronous:
            return self.search.trainings
        return tuple(sum(trial.rung > rung for trial in self.trials) for rung in range(len(self.search.rungs)))

    @property
    def winner(self) -> Trial | None:
        """The chosen trial; None while the search runs."""
        return next((trial for trial in self.trials if trial.chosen), None)

    @property
    def title(self) -> str:
        """``search of backbone vgg16``: what it is for."""
        return "search of " + (self.cells[0].title if len(self.cells) == 1 else f"{len(self.cells)} cells")

    @property
    def metric(self) -> str:
        """The metric in words, such as ``validation loss`` or ``validation accuracy, gender``."""
        quantity, name = METRIC.fullmatch(self.search.metric).groups()  # type: ignore[union-attr]
        quantity = {"mae": "mean absolute error"}.get(quantity, quantity)
        return f"validation {quantity}" + (f", {name}" if name else "")

    @property
    def text(self) -> str:
        """The state on one line."""
        if found := self.winner:
            return f"{self.title}: trial {found.number} of {self.search.trials}: {found.text}"
        return f"{self.title}: {self.progress}"

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        done = f"{self.done} of {self.planned} trainings done"
        return f"{done}, {self.done - sum(self.reached)} of them not needed" if self.search.asynchronous else done


def searches(study: Study) -> list[SearchView]:
    """The searches of all cells of the grid file, each once."""
    owners: dict[str, list[CellView]] = {}
    for cell in study.shown:
        if SEARCH in cell.stages:
            owners.setdefault(cell.stages[SEARCH], []).append(cell)
    return [view for id, cells in owners.items() if (view := _view(id, cells)) is not None]


def _view(id: str, cells: Sequence[CellView]) -> SearchView | None:
    try:
        search = Search.model_validate(cells[0].config["search"])
    except (KeyError, ValidationError):  # the record was written by another version; launching the grid writes it again
        return None
    cell = cells[0]
    names = [name for name in cell.names if name.kind == TRIAL and name in cell.markers]
    rungs: dict[int, list[tuple[StageName, Marker]]] = {}
    for name in names:
        marker = cell.markers[name]
        if trained(marker.facts):
            rungs.setdefault(marker.facts["trial"], []).append((name, marker))
    ended = cell.markers.get(SEARCH)
    trials = [
        Trial(
            number + 1,
            tuple(sorted(found, key=lambda one: one[1].facts["rung"])),
            layers_of(found[0][1].facts["head"]),
            search.metric,
            ended is not None and ended.facts["winner"] == number + 1,
        )
        for number, found in sorted(rungs.items())
    ]
    return SearchView(id, tuple(cells), search, len(names), tuple(trials))

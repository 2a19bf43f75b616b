"""When the trials of an asynchronous search may go on: the part of ``grid.stages.asha`` that schedules them.

A stage of a later rung may run as soon as its trial is among the best of the rung before, and also once that rung is complete:
then it finds out that it was not promoted, and ends. Promotions come before all other work, the highest rung first, as in
algorithm 2 of Li et al. (MLSys 2020).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from grid.ledger.reader import LedgerReader
from grid.plan.plan import PlannedStage
from grid.spec.search import Slot
from grid.stages.asha import Rung, recorded


@dataclass
class Promotions:
    """The stages of later rungs.

    Attributes:
        rungs: number of a rung, results of the rung before, and its stages by trial
        rivals: id of a stage -> ids of the stages of the rung before
    """

    rungs: list[tuple[int, Rung, dict[int, str]]] = field(default_factory=list)
    rivals: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, stages: Iterable[PlannedStage], ledger: LedgerReader) -> Promotions:
        """Those of the asynchronous searches among these stages."""
        found = cls()
        groups: dict[tuple[str, ...], dict[int, str]] = {}
        for stage in stages:
            slot = stage.node.config.get("slot")
            if not isinstance(slot, Slot) or not slot.rivals:
                continue
            if slot.rivals not in groups:
                groups[slot.rivals] = {}
                rung = Rung(ledger, slot.rivals, slot.metric, slot.reduction)
                found.rungs.append((slot.rung, rung, groups[slot.rivals]))
            groups[slot.rivals][slot.place] = stage.id
            found.rivals[stage.id] = frozenset(slot.rivals)
        found.rungs.sort(key=lambda one: -one[0])
        return found

    def open(self, missing: Collection[str]) -> Iterator[str]:
        """The ids of the stages that may run, in the order of Algorithm 2; some of them may have run.

        Args:
            missing: ids of the stages without a result
        """
        for _, rung, _ in self.rungs:
            rung.look(missing)
        for _, rung, stages in self.rungs:
            best = [stages[trial] for trial in rung.best()]
            yield from best
            yield from (id for id in stages.values() if id not in best and (rung.complete or id in self._begun))

    @cached_property
    def _begun(self) -> set[str]:
        """The stages that an earlier launch decided to train, by results that still count."""
        return {id for _, rung, stages in self.rungs for id in stages.values() if recorded(id, rung)}

"""Asynchronous successive halving: which trials of a rung go on, given the results so far.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht, Talwalkar: A System for Massively Parallel Hyperparameter Tuning.
MLSys 2020, arXiv:1810.05934, algorithm 2: whenever a worker is free, a trial that is among the best 1 / reduction
of the results of its rung and was not promoted before is trained in the next rung, the highest rung first; without one, another
trial begins.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from grid.ledger.reader import LedgerReader
from grid.ledger.sealed import seal, unsealed
from grid.spec.search import Slot
from grid.spec.stage_name import TRIAL
from grid.stages.halving import ranked, value_of

RESULTS = "results"  # of a decision: the metric of each trial that it ranked
PROMOTED = "promoted"  # the fact of a stage; False: the trial was not promoted into its rung, so nothing was trained


@dataclass
class Rung:
    """The results of a rung, as far as there are any.

    Attributes:
        stages: ids of its stages, one for each trial
        values: by trial, the metric of those that were trained in the rung; None: the loss was not finite
        ended: ids of the stages that are finished, also of those that trained nothing
        lacking: that the validation of a trial has no such metric, in words; empty if all have it. Such a trial never goes on
        again: whether one of the results was computed again, after an earlier one was voided
    """

    ledger: LedgerReader
    stages: Sequence[str]
    metric: str
    reduction: int
    values: dict[int, float | None] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    lacking: str = ""
    again: bool = False

    def look(self, missing: Container[str] = ()) -> None:
        """Reads the results that were not read before; stages in ``missing`` are known to have none."""
        for id in self.stages:
            if id in self.ended or id in missing:
                continue
            marker = self.ledger.markers({id: TRIAL})[id]  # none if it is damaged: it is computed again, with the same result
            if marker is not None:
                self.ended.add(id)
                if trained(marker.facts):
                    self.values[marker.facts["trial"]] = self._value(marker.facts)
                    self.again = self.again or marker.generation > 0

    def _value(self, facts: Mapping[str, object]) -> float | None:
        try:
            return value_of(facts, self.metric)
        except ValueError as error:  # the stages of the next rung fail by it, and not the scheduler, which looks, too
            self.lacking = str(error)
            return None

    @property
    def complete(self) -> bool:
        """Whether no further result can come."""
        return len(self.ended) == len(self.stages)

    def best(self) -> list[int]:
        """The best 1 / reduction of the trials that have a result, best first; those that diverged never go on."""
        return [trial for trial in self.order()[: len(self.values) // self.reduction] if self.values[trial] is not None]

    def order(self) -> list[int]:
        """The trials that have a result, best first."""
        return ranked(self.values, self.metric)


def trained(facts: Mapping[str, object]) -> bool:
    """Whether a finished stage of a trial has trained it: False if the trial was not promoted."""
    return bool(facts.get(PROMOTED, True))


def promotion(ledger: LedgerReader, id: str, slot: Slot) -> dict[str, int] | None:
    """The recorded decision to train a trial in the rung of ``slot``, made now if there is none; None: it is not promoted.

    Args:
        id: of the trial's stage in that rung

    Returns:
        ``rank`` of the trial, from 1, ``of`` that many results at the time of the decision

    Raises:
        ValueError: the validation of a trial in the rung before has no such metric.
    """
    rung = Rung(ledger, slot.rivals, slot.metric, slot.reduction)
    rung.look()
    if (found := recorded(id, rung)) is not None:
        return found
    if rung.lacking:
        raise ValueError(rung.lacking)
    if rung.values.get(slot.place) is None:  # it was not trained in the rung before, or it diverged
        return None
    if rung.complete and slot.place not in rung.best():
        return None
    # otherwise it is among the best, or was when this stage was taken and better results arrived a moment later
    decision = {"rank": rung.order().index(slot.place) + 1, "of": len(rung.values)}
    results = {str(trial): value for trial, value in rung.values.items()}
    ledger.store.put(_key(id), seal({**decision, RESULTS: results}))  # it replaces one that does not count
    return decision


def recorded(id: str, rung: Rung) -> dict[str, int] | None:
    """The decision of an earlier attempt to train a trial; None if there is none that counts.

    It counts as long as the results that it ranked are there: not if one was voided, unless the same was computed again.

    Args:
        id: of the trial's stage in the rung after ``rung``
        rung: its results
    """
    found = unsealed(rung.ledger.store.get(_key(id)), _key(id))
    if not found:
        return None
    if RESULTS not in found:  # it was recorded before they were
        counts = not rung.again and len(rung.values) >= found["of"]
    else:
        values = {str(trial): value for trial, value in rung.values.items()}
        counts = found[RESULTS].items() <= values.items()
    return {"rank": int(found["rank"]), "of": int(found["of"])} if counts else None


def _key(id: str) -> str:
    return f"{TRIAL}/{id}/promoted.json"

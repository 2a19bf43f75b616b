"""The living nodes of a Ray cluster, and units of work that wait for other devices than those nodes have room for.

Ray keeps work waiting for a lost node for ever. So whenever the nodes have changed, waiting work that would now take another
number of devices goes back into the queue and is placed again. Only what the nodes could hold when empty counts: on a busy
cluster, work waits for the devices that it was given.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from grid.execution.growth import Growth, Smaller
from grid.execution.makespan import Piece
from grid.execution.slots import Slots

LOOK = 1.0  # seconds between two looks at the nodes


class Placed(Protocol):
    """Tune's searcher, which knows the unit of work of each trial."""

    def fits(self, trial_id: str) -> bool:
        """Whether the work of a trial would be given the same devices again."""

    def withdraw(self, trial_id: str) -> None:
        """The trial is about to be removed before it began; its work waits again."""

    def keep(self, trial_id: str) -> None:
        """The trial goes on waiting, on other nodes than before."""

    def smaller(self, trial_ids: Iterable[str]) -> list[Smaller]:
        """The trainings of these trials that could use more devices than they have."""

    def waiting(self, trial_ids: Iterable[str]) -> list[Piece]:
        """What these trials reserve, which wait for room."""


class LivingNodes:
    """Keeps ``slots.nodes`` up to date.

    Args:
        nodes: the nodes as ``ray.nodes`` describes them, dead ones included
    """

    def __init__(
        self, slots: Slots, nodes: Callable[[], Sequence[Mapping[str, Any]]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.slots, self.nodes, self.clock = slots, nodes, clock
        self.looked = clock()

    def changed(self) -> bool:
        """Looks at the nodes, at most once a second; True if they are no longer those of the look before."""
        if self.clock() - self.looked < LOOK:
            return False
        self.looked = self.clock()
        found = [dict(node["Resources"]) for node in self.nodes() if node["Alive"]]
        before, self.slots.nodes = self.slots.nodes, found
        return _sorted(found) != _sorted(before)


def replacing(living: LivingNodes, placed: Placed, growth: Growth | None = None) -> Any:
    """Tune's scheduler: first come, first served, but what no longer fits the nodes is taken back before it begins.

    Args:
        growth: asks trainings to take more devices
    """
    from ray.tune.experiment import Trial
    from ray.tune.schedulers import FIFOScheduler

    class Replacing(FIFOScheduler):  # type: ignore[misc]
        def choose_trial_to_run(self, tune_controller: Any) -> Any:
            if living.changed():
                waiting = [trial for trial in tune_controller.get_trials() if trial.status == Trial.PENDING]
                for trial in waiting:
                    if placed.fits(trial.trial_id):
                        placed.keep(trial.trial_id)
                    else:
                        placed.withdraw(trial.trial_id)
                        _remove(tune_controller, trial)
            if growth is not None and growth.due():
                self.grow(growth, tune_controller)
            return super().choose_trial_to_run(tune_controller)

        def grow(self, growth: Growth, tune_controller: Any) -> None:
            trials = tune_controller.get_trials()
            smaller = placed.smaller(trial.trial_id for trial in trials if trial.status == Trial.RUNNING)
            waiting = placed.waiting(trial.trial_id for trial in trials if trial.status == Trial.PENDING)

            def end_idle() -> None:
                """Of the processes that Tune keeps for later work, which hold resources."""
                tune_controller._tune_controller._cleanup_cached_actors(force_all=True)

            growth.look(smaller, waiting, end_idle)

        def __reduce__(self) -> Any:
            return object, ()  # Tune pickles itself for a restore that never happens

    return Replacing()


def _remove(tune_controller: Any, trial: Any) -> None:
    """Removes a trial that has not begun."""
    trial.init_local_path()  # Tune's summary at the end asks for it
    controller = tune_controller._tune_controller
    if trial in controller._staged_trials:  # Tune itself would go on keeping processes for it, which others may need
        controller._unstage_trial_with_resources(trial)
    trial.run_metadata.last_result = {"withdrawn": True}  # of a trial without a result, Tune prints that it ended
    tune_controller.stop_trial(trial)


def _sorted(nodes: Sequence[Mapping[str, float]]) -> list[list[tuple[str, float]]]:
    return sorted(sorted(node.items()) for node in nodes)

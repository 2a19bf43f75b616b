"""What a launch on Ray shows of Tune's trials, and what becomes of work whose process was lost or ran out of memory."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

from grid.execution.executor import LOST, Session
from grid.execution.job import Outcome
from grid.execution.out_of_memory import advice
from grid.execution.perform import devices_of
from grid.execution.ray_losses import (
    error_of,
    killed_for_memory,
    node_was_lost,
    one_is_gone,
    reason_of,
    suspects,
    was_asked_to_end,
)
from grid.execution.ray_waiting import FirstStage
from grid.execution.scheduler import Work
from grid.execution.slots import Memory, Slots, slot_words
from grid.terminal import counted

NOTICED = 15.0  # seconds within which Ray notices that a node is gone
ASKED_MOST = 5  # losses of a unit of work by SIGTERM that do not count: a program may send it to itself each time


def watch(session: Session, slots: Slots, retries: int, first: FirstStage) -> Any:
    """A callback for Tune.

    Args:
        retries: losses of a unit of work that are retried
        first: says what the launch waits for until its first stage begins
    """
    from ray.tune import Callback

    class Watch(Callback):  # type: ignore[misc]
        """Shows progress, and decides what becomes of work whose process was lost."""

        def __init__(self) -> None:
            self.losses: dict[str, list[list[str]]] = {}  # of each unit of work, those that may count: their ``suspects``
            self.asked: Counter[str] = Counter()  # losses of each unit of work by SIGTERM
            self.undecided: list[tuple[Work, bool, str, float]] = []  # arguments of ``decide``

        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            first.started()

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
            first.began()
            work = session.queue.running.get(result.get("work", ""))
            if work and result.get("stage"):
                session.report(work, result["stage"], json.loads(result["row"]))

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            first.lost()
            ids = json.loads(trial.config.get("ids", "[]"))
            works = [session.queue.running[id] for id in ids if id in session.queue.running]
            if not works:
                return
            error = error_of(trial)
            if len(works) > 1:  # which one was the cause is unknown, and counts when it is lost alone
                said = f" ({reason})" if (reason := reason_of(error)) else ""
                session.say(f"{counted(len(works), 'unit')} of work: their process or node was lost{said}; each goes on alone")
                for work in reversed(works):
                    session.alone.add(work.id)
                    session.again(work)
                return
            work = works[0]
            began = "stage" in trial.last_result
            if killed_for_memory(error):
                if enlarged(session, slots, work, "host"):
                    session.again(work)
                else:
                    self.give_up(work, began, advice("host", slot_words(slots.of(work.id))))
                return
            if was_asked_to_end(error):
                self.asked[work.id] += 1
            if not node_was_lost(error) and not (was_asked_to_end(error) and self.asked[work.id] <= ASKED_MOST):
                self.losses.setdefault(work.id, []).append(suspects(error, trial.last_result))
            self.decide(work, began, reason_of(error), time.monotonic() + NOTICED)

        def decide(self, work: Work, began: bool, reason: str, until: float) -> None:
            """Puts work whose process was lost back, or gives it up; a lost node must have been noticed ``until`` then."""
            losses = self.losses.get(work.id, [])
            said = f" ({reason})" if reason else ""
            if sum(not one_is_gone(nodes) for nodes in losses) <= retries:
                session.say(f"{work.title}: its process or node was lost{said}; it goes on in another one")
                session.again(work)
            elif losses[-1] and time.monotonic() < until:
                self.undecided.append((work, began, reason, until))  # Tune's loop is not to wait
            else:
                self.give_up(work, began, f"{LOST}{said}")

        def settle(self) -> None:
            """Decides about work whose node may have been lost; called several times a second."""
            undecided, self.undecided = self.undecided, []
            for one in undecided:
                self.decide(*one)

        def give_up(self, work: Work, began: bool, error: str) -> None:
            """Of work that never began, nothing is recorded: it is no fault of a stage, and the next launch tries again."""
            if began:
                session.lose(work, error)
            else:
                session.end(work, {work.jobs[0].id: Outcome("failed", f"{error}; launch again when processes can start")})

        def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
            """Removes ended trials from Tune's own list, and empties them: Tune keeps what it knows of each until its end."""
            first.look()
            self.settle()
            ended = [trial for trial in trials if trial.is_finished()]
            if ended:
                trials[:] = [trial for trial in trials if not trial.is_finished()]
                for trial in ended:
                    forget(trial)

        def __reduce__(self) -> Any:
            return object, ()  # Tune pickles itself for a restore that never happens

    return Watch()


def forget(trial: Any) -> None:
    """Empties an ended trial of Tune: of its configuration, its results, and the text of both."""
    trial.config.clear()  # Tune has it under a second, private name, too
    trial.config, trial.evaluated_params, trial.experiment_tag = {}, {}, ""
    known = trial.run_metadata
    known.last_result, known.metric_analysis, known.metric_n_steps = {}, {}, {}
    trial.invalidate_json_state()


def enlarged(session: Session, slots: Slots, work: Work, memory: Memory) -> bool:
    """Gives work that ran out of memory a larger slot, and says so; False if there is none."""
    before = slots.of(work.id)
    if not slots.enlarge(work.id, memory, devices_of(work.jobs, session.ledger)):
        return False
    what = "GPU memory" if memory == "gpu" else "memory"
    session.say(f"{work.title}: out of {what} with {slot_words(before)}; it goes on with {slot_words(slots.of(work.id))}")
    return True

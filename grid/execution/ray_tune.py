"""The Ray Tune executor: requests ready work, schedules it, and retries work whose process was lost."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from grid.abort import Aborter
from grid.execution.executor import Executor, Session
from grid.execution.growth import Growth, Smaller, smaller_of
from grid.execution.job import NO_MEMORY, Outcome, RunOptions, accelerator, device_words
from grid.execution.living_nodes import LivingNodes, replacing
from grid.execution.makespan import PENDING, Piece, place
from grid.execution.measurements import Measurements, Probe
from grid.execution.memory_peak import Peak
from grid.execution.peaks import Peaks
from grid.execution.perform import (
    packed_outcomes,
    packed_units,
    perform,
    unpacked_outcomes,
    unpacked_units,
    usable_devices_of,
)
from grid.execution.phases import Phases, units_of
from grid.execution.price_check import check_cluster_prices
from grid.execution.ray_address import check_address
from grid.execution.ray_health import RayHealth, RayLost
from grid.execution.ray_helpers import RayHelpers, nodes_of_ranks
from grid.execution.ray_losses import ray_error_in, reason_of
from grid.execution.ray_start import check_room, check_whole_gpus, connected
from grid.execution.ray_waiting import FirstStage
from grid.execution.ray_watch import enlarged, watch
from grid.execution.scheduler import Work
from grid.execution.short_work import MOST, SHARES, in_turn, own, together
from grid.execution.slots import KINDS, UNLIMITED, Slots, held, slot_words
from grid.ledger.attempt_times import CPU, GPU
from grid.ledger.scratch import scratch_folder
from grid.ledger.store_interface import Store
from grid.spec.grid_file import BadInput
from grid.spec.launch_settings import Launch
from grid.terminal import counted

RAY_PATIENCE = 5.0  # seconds; without its GCS Ray hangs in uninterruptible calls, and terminates the process after 60
LOOKED_AT = 4096  # ready units of work, when their number decides how many go together
REPORT_SECONDS = 1.0  # minimum time between two live reports of a trial


class RayExecutor(Executor):
    """Runs work in processes on this machine, or on the cluster at ``launch.address``."""

    def run(self, session: Session) -> None:
        """See ``Executor.run``.

        Raises:
            BadInput: Ray cannot be started or reached, or no node has the resources.
            RayLost: the raylet or the GCS ended, or Ray failed otherwise. If Ray itself hangs then, the process exits with the
                same message and code.
        """
        self.check_work(session.ledger.store, session.devices, session.usable_devices, session.kinds)
        aborter = Aborter(patience=RAY_PATIENCE)
        with aborter.armed(), scratch_folder() as scratch, connected(self.launch, scratch, session.say) as slots:
            check_room(slots, units_of(session, slots), self.launch)
            if session.limit is not None:
                session.limit.capacity = cluster_resources  # Tune takes work long before it can start
                if self.launch.address is not None:
                    check_cluster_prices(session.limit.limits, self.launch, session.kinds, slots.nodes)
            watcher = watch(session, slots, self.launch.retries, FirstStage(session.say, self.launch.address is not None))
            searcher = _searcher(session, slots, self.launch, watcher.settle)
            tuner = _tuner(
                self.launch,
                slots,
                scratch,
                searcher,
                None if self.launch.address is None else _scheduler(session, slots, self.launch, searcher),
                watcher,
            )
            # at the end Tune lists the trials that were lost, also those that were retried
            logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
            with RayHealth(aborter.abort, local=self.launch.address is None):
                _fit(tuner)

    def check_work(self, store: Store, devices: int, usable: int, kinds: Collection[str]) -> None:
        """Raises BadInput if Ray's processes do not see the store, or a training on several devices has parts of a GPU."""
        if not store.shared:
            raise BadInput(f"launch.store {store.url}: Ray's processes do not see it; choose launch.executor=local")
        check_whole_gpus(self.launch, usable, kinds)

    def check_reachable(self) -> None:
        """See ``Executor.check_reachable``."""
        if self.launch.address is not None:
            check_address(self.launch.address)

    def where(self) -> str:
        if self.launch.address is not None:
            return f"on the cluster at {self.launch.address}"
        return f"on {device_words('cpu' if self.launch.resources.gpus == 0 else accelerator())}"


def cluster_resources() -> dict[str, float]:
    """The CPUs and GPUs of all nodes that are there now."""
    import ray

    there = ray.cluster_resources()
    return {name: float(there.get(name, 0.0)) for name in (CPU, GPU)}


def _scheduler(session: Session, slots: Slots, launch: Launch, searcher: Any) -> Any:
    import ray

    # near a limit of spending, a training that has ended for more devices might not start again
    grows = launch.fewest_devices is not None and session.limit is None
    return replacing(
        LivingNodes(slots, ray.nodes), searcher, Growth(slots, session.ledger, session.say, free_resources) if grows else None
    )


def free_resources() -> list[dict[str, float]]:
    """What each living node has left now, as Ray names it; it may be seconds old."""
    from ray._private.state import available_resources_per_node

    return list(available_resources_per_node().values())


def _tuner(launch: Launch, slots: Slots, scratch: Path, searcher: Any, scheduler: Any, callback: Any) -> Any:
    from ray import tune

    first = json.dumps(slots.first)

    def bundles(config: dict[str, Any]) -> Any:
        return tune.PlacementGroupFactory([json.loads(config.get("slot", first))] * config.get("devices", 1))

    return tune.Tuner(
        tune.with_resources(_trial, bundles),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=launch.concurrency,
            reuse_actors=True,
            trial_name_creator=lambda trial: f"work_{trial.trial_id}",
            trial_dirname_creator=lambda trial: f"work_{trial.trial_id}",
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(scratch),
            failure_config=tune.FailureConfig(max_failures=0),  # lost work goes back into the queue, see Watch
            callbacks=[callback],
            verbose=0,
        ),
    )


def _fit(tuner: Any) -> None:
    """Runs Tune until its searcher is finished.

    Raises:
        RayLost: Tune gave up, because Ray raised an exception that Tune does not expect of a process.
    """
    try:
        tuner.fit()
    except Exception as error:
        cause = ray_error_in(error)
        if cause is None:
            raise
        words = reason_of(cause) or type(cause).__name__
        raise RayLost(f"Ray failed: {words}; finished stages and checkpoints are kept, and the same command goes on") from error


def _trial(config: dict[str, Any]) -> None:
    """Runs a unit of work, or several short ones, in a worker process.

    Raises:
        RankLost: another process of a stage was lost; the work is tried again.
    """
    import ray
    from ray import tune

    if "measure" in config:
        tune.report(_measured(config))
        return
    ids, units = json.loads(config["ids"]), unpacked_units(config["units"])
    slot, devices = json.loads(config["slot"]), config["devices"]
    last = [0.0]
    node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else None
    nodes = nodes_of_ranks() if devices > 1 else []

    def report(id: str, label: str, row: Mapping[str, Any]) -> None:
        now = time.monotonic()
        alone = len(ids) == 1 and (not row or "finished_epoch" in row)  # each report waits for the driver
        if alone or now - last[0] >= REPORT_SECONDS or "waiting" in row:
            last[0] = now
            tune.report({"work": id, "stage": label, "row": json.dumps(row), "node": node, "nodes": json.dumps(nodes)})

    options = RunOptions(
        accelerator=accelerator(),
        helpers=RayHelpers(),
        slot=slot_words(slot),
        larger=frozenset(json.loads(config["larger"])),
        devices=devices,
        reserved=held(slot, devices),
    )
    outcomes = in_turn(dict(zip(ids, units, strict=True)), lambda id, jobs: perform(jobs, partial(report, id), options))
    tune.report({"outcomes": packed_outcomes(outcomes)})


def _measured(config: dict[str, Any]) -> dict[str, str]:
    """The peak of a training or why there is none, as JSON; reports that it begins, and then on which device."""
    from ray import tune

    from grid.execution.memory_process import peak_of

    started = time.monotonic()

    def began(device: str | None) -> None:
        tune.report({"measuring": json.dumps({"device": device, "seconds": time.monotonic() - started})})

    ((job,),) = unpacked_units(config["measure"])
    slot = json.loads(config["slot"])
    began(None if slot.get(GPU) else "cpu")  # its process may be lost before it knows the device
    found = peak_of(job, slot.get(CPU), began)
    return {"peak": json.dumps(found if isinstance(found, str) else found.record())}


def _searcher(session: Session, slots: Slots, launch: Launch, settle: Callable[[], None] = lambda: None) -> Any:
    """The searcher of Tune, which calls ``settle`` also while nothing runs, when Tune's loop calls nothing else."""
    from ray.tune.search import Searcher

    measurements = Measurements(Peaks(session.study if launch.measures else None), slots, session.ledger, session.say)
    phases = Phases(slots, session.ledger, measurements.peak)
    piece = phases.piece
    if session.limit is not None:
        session.limit.jobs = lambda work: phases.jobs(work) if phases.known(work) else work.jobs
    taken: dict[str, Piece] = {}

    def reserved(work: Work) -> dict[str, float]:
        if not phases.known(work) and not measurements.ready(work):
            return measurements.least(work)  # it may fit, which its measurement will show
        found = piece(work)
        return held(found.slot, found.devices)

    def startable(ready: Iterator[Work]) -> Iterator[Work]:
        """Ready work that has room now, and one more, so that it starts as soon as there is room.

        The rest stays in the queue, whose order follows what is measured meanwhile. On a cluster Tune gets more of it, because
        nodes are added for work that waits there.
        """
        ready = measurements.known(ready)
        if launch.address is not None:
            return ready
        free = [dict(node) for node in slots.nodes]
        waiting = [id for id in session.queue.running if id in taken and place(taken[id], free) is None]
        return (work for work in islice(ready, PENDING) if not waiting or place(piece(work), [dict(one) for one in free]))

    def also(first: Work) -> Iterator[Work]:
        """Marks short units of work that join the first one as running."""
        if session.limit is not None or taken[first.id].devices > 1 or first.id in session.alone:
            return  # a limit decides about each unit when it starts
        slot, room = slots.of(first.id), slots.room(first.id)
        processes = max(1, min(room, launch.concurrency or room))
        ready = list(islice(session.queue.ready(), min(MOST * SHARES * processes, LOOKED_AT)))
        share = (1 + len(ready)) / (SHARES * processes)

        def alike(work: Work) -> bool:
            ready = work.id not in session.alone and measurements.ready(work)
            return ready and (piece(work).slot, piece(work).devices) == (slot, 1)

        for work in list(together(first, ready, session.queue.seconds, alike, share)):
            session.start(work)
            yield work

    class Ready(Searcher):  # type: ignore[misc]
        """Suggests ready work; None while all of it waits for other work."""

        def __init__(self) -> None:
            super().__init__(metric="ended", mode="max")
            self.trials: dict[str, list[Work]] = {}
            self.probes: dict[str, Probe] = {}  # trial -> the training that it measures
            self.withdrawn: set[str] = set()

        def fits(self, trial_id: str) -> bool:
            return all(
                piece(work).devices == taken[work.id].devices for work in self.trials.get(trial_id, []) if work.id in taken
            )

        def smaller(self, trial_ids: Iterable[str]) -> list[Smaller]:
            works = [works[0] for id in trial_ids if len(works := self.trials.get(id, [])) == 1 and works[0].id in taken]
            pieces = [(work, taken[work.id]) for work in works]
            found = [smaller_of(work, one.slot, one.devices, session.ledger) for work, one in pieces]
            return [one for one in found if one is not None]

        def waiting(self, trial_ids: Iterable[str]) -> list[Piece]:
            ids = list(trial_ids)
            probes = [self.probes[id] for id in ids if id in self.probes]
            works = [works[0] for id in ids if (works := self.trials.get(id))]
            return [*(Piece(one.key, frozenset(), one.slot) for one in probes), *(taken[one.id] for one in works)]

        def withdraw(self, trial_id: str) -> None:
            self.withdrawn.add(trial_id)

        def keep(self, trial_id: str) -> None:
            for work in self.trials.get(trial_id, []):
                self.say_what_waits(work)

        def say_what_waits(self, work: Work) -> None:
            """Of work on several devices that waits for lost nodes."""
            if (devices := taken[work.id].devices) > 1 and (there := slots.room(work.id)) < devices:
                session.say(f"{work.title}: waits for {devices} devices: the nodes have room for {there}")

        def suggest(self, trial_id: str) -> Any:
            settle()
            if session.finished:
                return Searcher.FINISHED
            if launch.measures:
                session.check()
                if (probe := measurements.begin(session.affordable(session.queue.ready(), reserved))) is not None:
                    self.probes[trial_id] = probe
                    return {"measure": packed_units([[probe.job]]), "slot": json.dumps(probe.slot)}
            work = session.take(reserved, startable)
            if work is None:
                return None
            taken[work.id] = piece(work)
            works = self.trials[trial_id] = [work, *also(work)]
            needed, devices = phases.devices(work), taken[work.id].devices
            if launch.fewest_devices and devices < (wanted := usable_devices_of(phases.jobs(work), session.ledger, UNLIMITED)):
                session.say(f"{work.title}: on {devices} of {counted(wanted, 'device')}: the nodes have room for no more")
            self.say_what_waits(work)
            return {  # as text, since Tune flattens mappings
                "ids": json.dumps([one.id for one in works]),
                "units": packed_units(phases.jobs(one) for one in works),
                "devices": devices,  # each has a bundle of its own, all of them reserved at once
                "slot": json.dumps(slots.of(work.id)),
                "larger": json.dumps([kind for kind in KINDS if slots.larger(work.id, kind, needed)]),
            }

        def on_trial_result(self, trial_id: str, result: Any) -> None:
            if trial_id in self.probes and "measuring" in result:
                measurements.began(self.probes[trial_id].key, **json.loads(result["measuring"]))

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            if trial_id in self.probes:
                found = json.loads((result or {}).get("peak") or '"its process was lost"')
                measurements.end(self.probes.pop(trial_id).key, found if isinstance(found, str) else Peak.of(found))
                if session.limit is not None:
                    session.limit.spent(fresh=True)
                return
            works = self.trials.pop(trial_id, [])
            for work in works:
                taken.pop(work.id, None)
            if trial_id in self.withdrawn:
                self.withdrawn.discard(trial_id)
                for work in reversed(works):
                    session.again(work)
                return
            outcomes = unpacked_outcomes((result or {}).get("outcomes") or "{}")
            for work in works:
                if not error and work.id in session.queue.running:  # of an error, Watch knows more
                    self.ended(work, own(work, outcomes), lost=not outcomes)

        def ended(self, work: Work, outcomes: Mapping[str, Outcome], lost: bool) -> None:
            if lost:
                session.lose(work)
                return
            if not outcomes:
                session.again(work)  # not begun, since those before it took longer than expected
                return
            for memory, ended in NO_MEMORY.items():
                if any(outcome.ended == ended for outcome in outcomes.values()):
                    enlarged(session, slots, work, memory)
            session.end(work, phases.end(work, outcomes))

        def __reduce__(self) -> Any:
            return object, ()  # Tune pickles itself for a restore that never happens

        def save(self, checkpoint_path: str) -> None:
            """Does nothing: the ledger holds the state, and experiments are never restored."""

        def restore(self, checkpoint_path: str) -> None:
            """Does nothing, see ``save``."""

    return Ready()

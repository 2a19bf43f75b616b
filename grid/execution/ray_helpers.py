"""Helpers of a stage on several devices as Ray actors, one in each further bundle of the trial's placement group."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from grid.execution.ray_losses import NODE_DIED, loss_of, one_is_gone
from grid.stages.ranks import Helpers, RankLost, Report, Team

LOOK = 2.0  # seconds between two looks at the nodes


def nodes_of_ranks() -> list[str]:
    """Ray's ids of the nodes that this process and its helpers have, in the order of the ranks; empty where it has none."""
    import ray

    group = ray.util.get_current_placement_group()
    placed = ray.util.placement_group_table(group)["bundles_to_node_id"] if group is not None else {}
    return [str(placed[rank]) for rank in sorted(placed)]


class RayHelpers(Helpers):
    """Ray gives each rank the devices of its bundle of the trial, in ``CUDA_VISIBLE_DEVICES``; rank 0 has the first one."""

    def host(self) -> str:
        import ray

        return str(ray.util.get_node_ip_address())

    def start(self, tasks: Sequence[Mapping[str, Any]]) -> Team:
        import ray

        group = ray.util.get_current_placement_group()
        bundles = group.bundle_specs if group is not None else []
        if len(bundles) <= len(tasks):
            raise RankLost(f"{len(tasks) + 1} ranks need as many bundles, and this unit of work reserved {len(bundles) or 1}")
        return _Actors(group, bundles, tasks)


class _Actors(Team):
    """Ray ends the actors with the process that created them, which is rank 0."""

    def __init__(self, group: Any, bundles: Sequence[Mapping[str, float]], tasks: Sequence[Mapping[str, Any]]) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        self._ended: dict[int, Report] = {}
        self._nodes, self._looked = nodes_of_ranks(), time.monotonic()
        self._actors, self._reports = {}, {}
        for task in tasks:
            rank = task["helper"]["rank"]
            bundle = dict(bundles[rank])
            place = PlacementGroupSchedulingStrategy(group, rank)
            actor = ray.remote(_Helper).options(
                num_cpus=bundle.pop("CPU", 0),
                num_gpus=bundle.pop("GPU", 0),
                memory=bundle.pop("memory", None),
                resources=bundle,
                scheduling_strategy=place,
            )
            self._actors[rank] = actor.remote()
            self._reports[rank] = self._actors[rank].help.remote(json.dumps(task))

    def ended(self) -> Mapping[int, Report]:
        import ray

        waiting = [rank for rank in self._reports if rank not in self._ended]
        for rank in waiting:
            report = self._reports[rank]
            if not ray.wait([report], timeout=0)[0]:
                continue
            try:
                self._ended[rank] = Report(**json.loads(ray.get(report)))
            except ray.exceptions.RayError as error:
                self._ended[rank] = Report(loss_of(error), lost=True)
        if time.monotonic() - self._looked > LOOK:  # Ray says nothing of an actor that a lost node should have started
            self._looked = time.monotonic()
            gone = [rank for rank in waiting if rank not in self._ended and one_is_gone([self._nodes[rank]])]
            self._ended |= {rank: Report(NODE_DIED, lost=True) for rank in gone}
        return self._ended

    def stop(self) -> None:
        import ray

        for actor in self._actors.values():
            ray.kill(actor)


class _Helper:
    def help(self, task: str) -> str:
        """Runs one helper; task and report are JSON."""
        from grid.execution.helper import help_training

        return json.dumps(asdict(help_training(json.loads(task))))

"""Trials of a search: one stage for each place in each rung, or with ``asha`` for each trial in each rung.

Which trial has a place in a later rung depends on the results of the rung before, so the stage finds out when it runs. The
number of places does not, so the graph is known when the grid is planned. With ``asha`` a stage finds out whether its trial is
promoted, and ``grid.execution.promotions`` when it may run.
"""

from __future__ import annotations

from typing import ClassVar

from configs.component import digest
from grid.spec.search import Slot
from grid.spec.stage_kind import Graph, IntermediateKind, Stage, StageName
from grid.spec.stage_name import TRIAL
from grid.spec.training import Training
from grid.stages.kinds import train
from grid.stages.kinds.detect import detection


class Kind(IntermediateKind):
    """Tables show cells, and a trial is none: the report has a table of trials, tracking a run of each."""

    order = 12
    shared = True
    leaf = False
    listed = False
    computes = "grid.stages.trial"
    configs: ClassVar = {"training": Training, "slot": Slot}

    @property
    def curves(self) -> str:
        return "Learning curves"

    def plan(self, graph: Graph) -> None:
        search = graph.cell.search
        if search is None:
            return
        training = search.training(graph.training)
        heads = search.heads(training.head)
        made, weights = train.initial_weights(graph, training)
        seen = detection(graph, training.data, training.detector, "data")
        needs: dict[str, Stage | None] = {str(one.label): one for one in (seen, made) if one}
        before: list[Stage] = []
        for rung, epochs in enumerate(search.rungs):
            places = []
            for place in range(search.trials if search.asynchronous else search.places(rung)):
                slot = Slot(rung=rung, place=place, epochs=epochs, space=search.space)
                known = rung == 0 or search.asynchronous  # otherwise, which trial it is depends on results
                tried = training.model_copy(update={"head": heads[place]}) if known else training
                label, needed = f"{'trial' if known else 'place'} {place + 1}", needs
                if rung == 0:
                    identity = {**train.training_identity(graph, tried, seen, weights), "until": epochs}
                elif search.asynchronous:
                    rivals = tuple(stage.id for stage in before)
                    more = {"rivals": rivals, "metric": search.metric, "reduction": search.reduction}
                    slot = slot.model_copy(update=more)
                    identity = {"scheduler": search.scheduler, **more, "before": rivals[place], "until": epochs}
                    identity["rivals"] = digest(rivals)  # each stage has all of them
                    needed = needs | {"before": before[place]}
                else:
                    slot = slot.model_copy(update={"earlier": len(before), "metric": search.metric})
                    earlier = [stage.id for stage in before]
                    identity = {"earlier": earlier, "metric": search.metric, "place": place, "until": epochs}
                    needed = needs | {f"earlier {number}": stage for number, stage in enumerate(before)}
                name = StageName(TRIAL, f"rung {rung + 1}", label)
                places.append(graph.add(name, identity, {"training": tried, "slot": slot}, needed))
            before = places

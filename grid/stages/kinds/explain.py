"""Explanation: one for each explainer of a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from configs.data_interfaces import ProtocolConfig
from configs.explainers import ExplainerConfig
from configs.lookup import nearest
from grid.spec.finished import Finished
from grid.spec.stage_kind import Graph, StageKind, StageName
from grid.spec.training import Training
from grid.stages.kinds.detect import detection

MANIFEST = "manifest.json"


class Kind(StageKind):
    order = 40
    explains = True
    maps = True
    computes = "grid.stages.explain"
    configs: ClassVar = {"training": Training, "explainer": "explainer", "protocol": "protocol"}

    def about(self, label: StageName) -> Mapping[str, str]:
        return {"explainer": label.titles[0]}

    def summary(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}

    def result(self, stage: Finished) -> None:
        """None: maps have no numbers, and reports have separate tables for their scores."""

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        return {}

    def tags(self, stage: Finished) -> Mapping[tuple[str, ...], str]:
        """Why an explanation was refused: ``refused.gradcam``."""
        refused = stage.json(MANIFEST).get("refused")
        return {("refused", stage.label.about): reason(refused)} if refused else {}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        """The raw maps; tracking adds rendered images. For a refused explanation, the reason."""
        kept = [name for name in stage.outputs if name.startswith(("manifest", "maps", "generated"))]
        return {name: ("explanations", stage.label.about, name) for name in kept}

    def plan(self, graph: Graph) -> None:
        cell, facts = graph.cell, graph.facts
        for explainer in cell.explainers:
            assert isinstance(explainer, ExplainerConfig)
            needs = [graph.train, detection(graph, cell.data, cell.detector, "data")]
            identity: dict[str, Any] = {"train": graph.train.id, "explainer": explainer.identity()}
            # Scores are separate stages: the explanation's worker and source digest do not include them.
            unscored = explainer.model_copy(update={"scores": ()}) if explainer.scores else explainer
            config = {"training": graph.training, "explainer": unscored}
            if protocol := pairs_of(explainer, cell.protocols):
                data = facts.dataset(protocol)
                needs.append(detection(graph, data, cell.detector, protocol.title))
                identity |= {"images": facts.images(data), "pairs": facts.pairs(protocol, cell)}
                config["protocol"] = protocol
            graph.add(StageName(self.name, explainer.title), identity, config, needs)


def reason(refused: Mapping[str, Any]) -> str:
    """``code: reason`` of a refusal."""
    return ": ".join(str(refused[key]) for key in ("code", "reason") if refused.get(key))


def pairs_of(explainer: ExplainerConfig, protocols: Sequence[ProtocolConfig]) -> ProtocolConfig | None:
    """The protocol whose pairs are explained; None if single images are.

    Raises:
        ValueError: there is none, or none with that title.
    """
    known = {one.title: one for one in protocols if one.task == "verification" and not one.transforms}
    if not explainer.pairs:
        if explainer.protocol is not None:
            raise ValueError(
                f"explainer {explainer.title} names protocol {explainer.protocol!r} but explains no pairs; set pairs"
            )
        return None
    if not known:
        raise ValueError(
            f"explainer {explainer.title} explains pairs, and no protocol of this grid has pairs of images"
            + (" without transforms" if any(one.transforms for one in protocols) else "")
        )
    if explainer.protocol is None:
        return next(iter(known.values()))
    if explainer.protocol not in known:
        raise ValueError(
            f"explainer {explainer.title} takes its pairs from protocol {explainer.protocol!r}, "
            f"and no protocol with pairs of images has that title{nearest(explainer.protocol, known)}"
        )
    return known[explainer.protocol]

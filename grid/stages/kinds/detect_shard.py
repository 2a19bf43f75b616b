"""A shard of a detection: an ordinary node in the ledger, but not a stage of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from grid.spec.cell import Detection, DetectionShard
from grid.spec.finished import Finished
from grid.spec.stage_kind import Graph, StageKind


class Kind(StageKind):
    order = 0
    shared = True
    leaf = False
    starts = False
    computes = "grid.stages.detect_shard"
    configs: ClassVar = {"detection": Detection, "detect_shard": DetectionShard}

    def result(self, stage: Finished) -> None:
        """None: nothing to show in tables."""

    def logged(self, stage: Finished) -> Mapping[tuple[str, ...], Any]:
        return {}

    def artifacts(self, stage: Finished) -> Mapping[str, tuple[str, ...]]:
        return {}

    def reads(self, outputs: Iterable[str]) -> Iterable[str]:
        return ()

    def plan(self, graph: Graph) -> None:
        """Adds nothing: the launch splits detections into shards."""

"""Detection: boxes and landmarks of every image of a dataset, shared by all cells with the same detector."""

from __future__ import annotations

from typing import ClassVar

from configs.data_interfaces import DatasetConfig, DetectorConfig
from grid.spec.cell import Detection
from grid.spec.stage_kind import Graph, IntermediateKind, Stage, StageName
from grid.spec.stage_name import DETECT, DETECT_SHARD


class Kind(IntermediateKind):
    order = 0
    shared = True
    leaf = False
    starts = False  # it serves many cells; starting it does not start each of them
    parts = DETECT_SHARD
    computes = "grid.stages.detect"
    configs: ClassVar = {"detection": Detection}

    def plan(self, graph: Graph) -> None:
        """Adds nothing: the stages that need a detection add it."""


def lists_faces(data: DatasetConfig, detector: DetectorConfig) -> bool:
    """Whether the faces of this dataset's own list are used, so that no image is read."""
    return bool(getattr(detector, "listed", False)) and hasattr(data, "detections")


def detection(graph: Graph, data: DatasetConfig, detector: DetectorConfig, title: str) -> Stage | None:
    """The detection of a dataset, added if new; None if the detector needs no stage."""
    if detector.trivial:
        return None
    identity = {"images": graph.facts.images(data), "detector": detector.detection()}
    if lists_faces(data, detector):
        identity["landmarks"] = data.detections_digest()  # type: ignore[attr-defined]
    return graph.add(StageName(DETECT, title), identity, {"detection": Detection(data=data, detector=detector)}, [])

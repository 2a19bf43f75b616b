"""A shard of a detection: an ordinary node in the ledger, but no stage of a plan. The launch splits detections into shards."""

from __future__ import annotations

from typing import ClassVar

from grid.spec.cell import Detection, DetectionShard
from grid.stages.kinds import detect


class Kind(detect.Kind):
    parts = ""
    computes = "grid.stages.detect_shard"
    configs: ClassVar = {"detection": Detection, "detect_shard": DetectionShard}

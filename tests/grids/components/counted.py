"""A stage of a user's own, which computes next to nothing: the number of classes that a network was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from configs.staging import StageConfig
from grid.stages.context import Context, Result


class CountedConfig(StageConfig):
    name: Literal["components.counted"] = "components.counted"
    factor: int = 1


def run(config: Mapping[str, Any], context: Context) -> Result:
    count = context.inputs["train"].facts["classes"] * config["settings"].factor
    (context.attempt.path / "result.json").write_text(json.dumps({"classes": {"value": count}}), encoding="utf-8")
    return Result({"classes": count}, ("result.json",))

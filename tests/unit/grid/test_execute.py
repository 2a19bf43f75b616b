"""What a worker says of errors that no stage raised."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ray import tune

from grid.cell import Cell, stages_of
from grid.execute import _trial
from grid.sources import source_digest
from grid.trial import Job
from grid.world import World

CELL = {"data": {"name": "drawn", "persons": 4, "shots": 4}, "backbone": "alexnet", "input": {"size": 64}}


def test_a_store_that_cannot_be_written_is_said_and_is_no_lost_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "report", said.append)
    file = tmp_path / "file"
    file.write_text("no folder")
    stage = next(stage for stage in stages_of(Cell.model_validate(CELL), World(tmp_path / "world")) if stage.kind == "train")
    config = {name: part.model_dump(mode="json") for name, part in stage.config.items()}
    source = source_digest(stage.kind, stage.config.values())
    job = Job(stage.kind, stage.id, stage.label, {}, stage.identity, config, source, str(file / "store"))
    _trial({"jobs": json.dumps([asdict(job)])})
    outcome = json.loads(said[-1]["outcomes"])[stage.id]
    assert outcome["ended"] == "failed"
    assert "NotADirectoryError" in outcome["error"]

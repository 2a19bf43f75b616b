"""Real Ray: the memory of trainings is measured before they start, once, and reserved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from launching import facegrid, grid, here

from grid.execution.job import jobs_of
from grid.execution.memory_peak import GIB
from grid.execution.peaks import Peaks, key_of
from grid.ledger.ledger import Ledger
from grid.ledger.measurement_times import measurement_times
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")


SPACE = {"layers": [1, 2], "widths": [8, 16], "step": 8}


def three_cells(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"]
    tree["protocols"] = []
    tree["base"]["backbone"] = {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}
    tree["base"]["recipe"]["epochs"] = 1
    tree["base"]["detector"] = {"name": "components.placed"}
    tree["axes"] = {
        "cell": {
            "new": {"head": {"name": "dense"}, "search": {"trials": 2, "rungs": [1], "space": SPACE}},
            "two": {"compute.devices": 2},
            "broken": {"head.dimension": 24, "augmentation": {"name": "components.hungry", "needs": 0.0}},
        }
    }
    tree["launch"] = {"resources": {"memory_gib": "measured"}, "retries": 0}


@pytest.mark.slow
def test_it_is_reserved_where_it_is_measured_and_elsewhere_the_training_shows_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = tmp_path / "shares"
    shares.mkdir()
    file = grid(tmp_path / "tiny.yaml", three_cells)
    monkeypatch.chdir(tmp_path)
    plan = make_plan(read(file))
    jobs = jobs_of(plan.stages, store_of(plan.grid), workers="auto")
    trainings = {cell.levels["cell"]: jobs[cell.stages["train"]] for cell in plan.cells}
    said = facegrid(tmp_path, "launch", file, code=1, FACEGRID_TEST_SHARES=str(shares))

    assert said.count("cell=new: measuring the memory of its training") == 1
    assert "cell=broken: not measured (" in said
    assert "no such face" in said, "the error is that of the training, where it is not measured"
    ledger = Ledger(tmp_path / STUDY / "store")
    ended = {level: ledger.marker("train", job.id) is not None for level, job in trainings.items()}
    assert ended == {"new": True, "two": True, "broken": False}
    assert said.count("measuring the memory of its training") == 4, "of both trials once, and of each cell"
    trials = {key_of(job) for job in jobs.values() if job.kind == "trial"}
    assert len(trials) == 1
    assert Peaks(tmp_path / STUDY).get(*trials) is not None
    peak = Peaks(tmp_path / STUDY).get(key_of(trainings["new"]))
    assert peak is not None
    assert 0.2 * GIB < peak.memory < 8 * GIB
    assert f"its training took {peak.words}; such work reserves 1 CPU, {peak.memory_needed / GIB:.3g} GiB" in said
    built = [json.loads(line) for line in (shares / "detect").read_text().splitlines()]
    assert peak.memory_needed in {bundles[0].get("memory") for bundles in built if bundles}
    each = Peaks(tmp_path / STUDY).get(key_of(trainings["two"]))
    assert each is not None
    assert f"took {each.words}; each of its devices reserves 1 CPU, {each.memory_needed / GIB:.3g} GiB" in said
    assert [each.memory_needed] * 2 in [[one.get("memory") for one in bundles] for bundles in built if bundles]
    assert (tmp_path / STUDY / "memory.json").is_file()
    times = measurement_times(tmp_path / STUDY)
    assert [(time.reserved, time.device) for time in times] == [({"CPU": 1.0}, "cpu")] * 4
    assert all(0.5 / 3600 < time.hours("CPU", 0.0) < 300 / 3600 for time in times)
    shown = here(tmp_path, "plan", file, "recipe.epochs=2")
    assert f"1 training: took {peak.words}, so {peak.memory_needed / GIB:.1f} GiB is reserved" in shown
    assert "1 training: memory measured at launch" in shown, "the broken one"

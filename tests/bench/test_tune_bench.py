"""What a launch costs beyond its stages: cells that compute nothing, against trials of a plain Ray Tune that compute nothing.

Both reuse their processes, in the same run, one after the other. A cell also has a stage in the ledger: claimed, logged, and
finished durably. The first ``WARM`` cells, which wait for processes to start, count in neither; what the launch copies to
MLflow meanwhile, in a process of its own, counts in the time. ``CELLS``: the number of cells; ``PASSES``: ``meanwhile`` leaves
out the pass to MLflow after the last cell, which does not count and takes minutes for thousands; ``none`` leaves out all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from launching import PROGRAM, environment, grid, prepare

from grid.execution.ray_start import QUIET

pytestmark = pytest.mark.timeout(7200)
CELLS = int(os.environ.get("CELLS", "300"))
WARM = 100
ALLOWED = 4.0  # times as long as plain Tune, for crowded machines; the aim is 1
MEMORY = 20.0  # kB a cell in the driver; the aim is 5
WATCH = """
import json, os, time, psutil
me, seen = psutil.Process(), []
def ended():
    seen.append((time.monotonic(), time.process_time(), me.memory_info().rss))
def measured(warm):
    first, last, count = seen[warm - 1], seen[-1], len(seen) - warm
    seconds, cpu, memory = (after - before for before, after in zip(first, last))
    each = {"ms": 1e3 * seconds / count, "cpu_ms": 1e3 * cpu / count, "kB": memory / 1e3 / count}
    print(json.dumps({"cells": len(seen), **each}))
"""
PLAIN = """
import sys
import ray
from ray import tune
class Watch(tune.Callback):
    def on_trial_complete(self, *words, **named):
        ended()
    def __reduce__(self):
        return object, ()
def nothing(config):
    tune.report({"ended": config["number"]})
ray.init(address="local", include_dashboard=False, log_to_driver=False)
tune.Tuner(
    tune.with_resources(nothing, {"cpu": 1}),
    param_space={"number": tune.grid_search(list(range(int(sys.argv[1]))))},
    tune_config=tune.TuneConfig(reuse_actors=True),
    run_config=tune.RunConfig(name="plain", storage_path=sys.argv[2], verbose=0, callbacks=[Watch()]),
).fit()
measured(int(sys.argv[3]))
"""
CELL = """
from grid.execution import background_sync
passes = os.environ.get("PASSES", "all")
if passes == "none":
    background_sync.SYNC_SECONDS = 1e6
if passes != "all":
    def finish(self):
        self._join()
        return []
    background_sync.BackgroundSync.finish = finish
from grid.execution.executor import Session
end = Session.end
def counted(self, work, outcomes):
    end(self, work, outcomes)
    ended()
Session.end = counted
"""


def idle(tree: dict[str, Any]) -> None:
    del tree["skip"], tree["explainers"], tree["protocols"]
    tree["base"]["augmentation"] = {"name": "components.idle"}
    tree["axes"] = {"number": {f"{number}": {"augmentation.number": number} for number in range(CELLS)}}
    tree["launch"] = {"resources": {"cpus": 1, "gpus": 0}}


def measured(folder: Path, program: str, *words: object, **more: str) -> dict[str, float]:
    command = [sys.executable, "-c", WATCH + program, *map(str, words)]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment("bench", **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found: dict[str, float] = json.loads(
        next(line for line in reversed(done.stdout.splitlines()) if line.startswith('{"cells"'))
    )
    assert found["cells"] == CELLS
    return found


def test_a_cell_that_computes_nothing_costs_little_more_than_a_trial_of_plain_tune(tmp_path: Path) -> None:
    words = ("launch", grid(tmp_path / "tiny.yaml", idle))
    prepare(tmp_path, words)
    launched = measured(tmp_path, f"{CELL}try:\n    {PROGRAM}\nfinally:\n    measured({WARM})", *words)
    plain = measured(tmp_path, PLAIN, CELLS, tmp_path / "plain", WARM, **QUIET, RAY_AUTH_MODE="disabled")
    for name, found in (("facegrid", launched), ("plain Tune", plain)):
        text = "{cells} cells, {ms:.1f} ms each, {cpu_ms:.1f} ms of the driver's processor, {kB:.1f} kB in the driver"
        print(f"\n{name}: {text.format(**found)}", end="")
    print(f"\nratio: {launched['ms'] / plain['ms']:.2f}")
    assert launched["ms"] <= ALLOWED * plain["ms"]
    assert launched["kB"] <= MEMORY

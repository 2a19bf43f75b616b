"""Whether a few steps show the memory of a whole training: both in new processes on the CPU.

``pytest -s tests/bench/test_measured_memory_bench.py`` prints a line per training.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from small import write

from grid.execution.job import jobs_of
from grid.execution.memory_peak import GIB, Peak
from grid.execution.memory_process import peak_of
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
from grid.execution.job import Job, RunOptions, run
from grid.execution.memory_probe import _own
assert run(Job(**json.load(sys.stdin)), RunOptions(raises=True)).ended == "done"
print(_own())
"""


@pytest.mark.parametrize(
    ("backbone", "batch", "decoder", "compute"),
    [
        ("alexnet", 8, None, {}),
        ("resnet34", 32, None, {}),
        ("resnet34", 32, "unet", {}),
        ("resnet34", 64, None, {"devices": 2}),
        ("resnet34", 64, None, {"devices": 2, "classes": "shared", "batch_norm": "synchronized"}),
    ],
    ids=str,
)
def test_a_whole_training_takes_no_more_than_is_reserved(
    tmp_path: Path, backbone: str, batch: int, decoder: Any, compute: dict[str, Any]
) -> None:
    base = {
        "data": {"name": "drawn", "subjects": 20, "shots": 10, "size": 64},
        "input": {"size": 64},
        "backbone": backbone,
        **({"loss": "arcface"} if compute else {}),
        "compute": compute,
        "recipe": {"name": "one_cycle", "lr": 0.01, "batch_size": batch, "epochs": 2},
        **({"reconstruction": {"decoder": {"name": decoder}}} if decoder else {}),
    }
    launch = {"study": str(tmp_path / "study"), "resources": {"gpus": 0}}
    grid = read(write(tmp_path / "grid.yaml", base, axes={}, launch=launch, protocols=[], explainers=[]))
    (job,) = jobs_of([one for one in make_plan(grid).stages if one.stage == "train"], store_of(grid)).values()
    found = peak_of(job, 1.0)
    assert isinstance(found, Peak), found
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(asdict(job)), cwd=ROOT, capture_output=True, text=True, check=True
    )
    whole = int(done.stdout)
    print(
        f"\n{backbone}, batch {batch}, decoder {decoder}, {compute}: {found.memory / GIB:.2f} GiB in a few steps, "
        f"{whole / GIB:.2f} GiB in all, {whole / found.memory:.2f} times; {found.memory_needed / GIB:.1f} GiB reserved"
    )
    assert whole <= found.memory_needed

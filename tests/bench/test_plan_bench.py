"""What 100,000 cells take to plan, on top of the import of torch: processor time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
GATE = 60.0  # processor seconds on an idle machine of 2020; the test allows LOOSE times as many, for crowded ones
LOOSE = 2.0
MEMORY = 2.0  # GB, torch and the networks included
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import torch
start = time.process_time()
from grid.plan.cost import cost
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read
from grid.plan.inputs import InputResolver
grid = read(Path(sys.argv[1]))
world = InputResolver(store_of(grid))
plan = make_plan(grid, None, world)
planned = time.process_time()
costs = cost(plan, world)
costed, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
json.dumps({**plan.record(), "cost": costs})
print(json.dumps({
    "cells": len(plan.cells), "plan": planned - start, "all": costed - start, "json": time.process_time() - costed,
    "memory": memory,
}))
"""


def axis(key: str, values: list[float]) -> dict[str, dict[str, float]]:
    return {f"v{number}": {key: value} for number, value in enumerate(values)}


def test_a_hundred_thousand_cells_are_planned_in_a_minute(tmp_path: Path) -> None:
    backbones = ("alexnet", "resnet34", "mobilenetv3_small", "efficientnet_lite0", "efficientnet_b1")
    grid = {
        "name": "large",
        "base": {
            "data": {"name": "drawn", "subjects": 10, "shots": 4},
            "input": {"size": 64},
            "augmentation": "flip",
            "head": "gap_bn",
            "recipe": {"name": "one_cycle", "epochs": 2},
        },
        "axes": {
            "backbone": {name: {"backbone.name": name} for name in backbones},
            "detection": {"none": {"detector.name": "none"}, "mtcnn": {"detector": {"name": "mtcnn", "margin": 8}}},
            "rate": axis("recipe.lr", [0.001 * number for number in range(1, 11)]),
            "decay": axis("recipe.weight_decay", [0.0001 * number for number in range(10)]),
            "momentum": axis("recipe.momentum", [0.005 * number for number in range(1, 101)]),
        },
        "protocols": [{"name": "drawn", "subjects": 20, "shots": 8, "folds": 5}],
        "explainers": [{"name": "gradcam", "images": 4}],
        "launch": {"study": str(tmp_path / "study")},
    }
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(grid, sort_keys=False))
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(file)], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    text = "{cells:,} cells: {plan:.1f} s to plan, {all:.1f} s and {memory:.2f} GB with costs; JSON {json:.1f} s"
    print(text.format(**found))
    assert found["cells"] == 100_000
    assert found["all"] < GATE * LOOSE, found
    assert found["memory"] < MEMORY, found

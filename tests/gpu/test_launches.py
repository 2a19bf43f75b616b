"""Launches on the GPU by real Ray: the same results however a grid runs, and what a launch knows about a GPU.

They need Ray and MLflow, which all other tests here do without.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import small
import torch

from grid.execution.memory_peak import GIB
from grid.ledger.ledger import Ledger
from grid.ledger.records import Marker
from grid.plan.plan import make_plan, store_of
from grid.spec.grid_file import read

ROOT = Path(__file__).resolve().parents[2]
MISSING = [name for name in ("ray", "mlflow", "typer") if importlib.util.find_spec(name) is None]
PATIENCE = 240.0  # seconds
WAYS: dict[str, dict[str, Any]] = {
    "in this process": {"executor": "local"},
    "as it is": {},
    "four on a GPU": {"resources": {"gpus": 0.25}},
    "measured": {"resources": {"gpus": "measured", "memory_gib": "measured"}},
    "by workers": {},
}
pytestmark = [
    pytest.mark.timeout(500),
    pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed"),
]


@dataclass(frozen=True)
class Running:
    """A command of facegrid in its own process."""

    process: subprocess.Popen[str]

    def said(self, code: int = 0) -> str:
        """What it printed, after it has ended with that code."""
        try:
            text, _ = self.process.communicate(timeout=PATIENCE)
        finally:
            self.process.kill()
        assert self.process.returncode == code, text
        return text


def command(folder: Path, *words: object) -> Running:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "grids"), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }
    environment.pop("RAY_ADDRESS", None)
    words = (sys.executable, str(ROOT / "facegrid.py"), *words)
    process = subprocess.Popen(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Running(process)


def grid(folder: Path, launch: dict[str, Any], **parts: Any) -> Path:
    folder.mkdir()
    return small.write(folder / "small.yaml", launch=launch, **parts)


def markers(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], Marker]:
    """Of all stages of a grid, by kind and id."""
    monkeypatch.chdir(file.parent)
    plan = make_plan(read(file))
    ledger = Ledger(store_of(plan.grid))
    found = {(stage.stage, stage.id): ledger.marker(stage.stage, stage.id) for stage in plan.stages}
    assert all(found.values()), [key for key, marker in found.items() if marker is None]
    return {key: marker for key, marker in found.items() if marker is not None}


def test_all_ways_to_run_a_grid_give_the_same_results(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = WAYS if device == "cuda" else {way: launch for way, launch in WAYS.items() if way != "four on a GPU"}
    files = {way: grid(tmp_path / way.replace(" ", "-"), launch) for way, launch in ways.items()}
    command(files["by workers"].parent, "launch", files["by workers"], "--no-run").said()
    running = {way: [command(file.parent, "launch", file)] for way, file in files.items() if way != "by workers"}
    running["by workers"] = [command(files["by workers"].parent, "work", "studies/small") for _ in range(2)]
    said = {way: "\n".join(one.said() for one in commands) for way, commands in running.items()}
    found = {way: markers(file, monkeypatch) for way, file in files.items()}
    contents = {way: {key: marker.content for key, marker in one.items()} for way, one in found.items()}
    for way, one in contents.items():
        different = sorted(key for key, content in one.items() if content != contents["in this process"][key])
        assert not different, f"{way}: {different}"
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    for way, one in found.items():
        devices = {kind: marker.environment["device"] for (kind, _), marker in one.items()}
        assert {devices[kind] for kind in ("train", "evaluate", "explain")} == {name}, way
    kept = json.loads((files["measured"].parent / "studies" / "small" / "memory.json").read_text())["peaks"]
    assert len(kept) == 2, said["measured"]  # with and without face detection
    for peak in kept.values():
        assert peak["device"] == name
        assert 0.2 * GIB < peak["memory"] < 16 * GIB
        assert (peak["gpu"] > 0.1 * GIB) == (device == "cuda")
    lines = " ".join(said["measured"].split())
    assert lines.count("; such work reserves 1 CPU, ") == 2
    assert lines.count(" GiB of a GPU; such work reserves ") == (2 if device == "cuda" else 0)


def test_a_limit_of_money_needs_the_price_of_this_gpu(cuda: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {"rate": {"low": {"recipe.lr": 0.01}}}
    prices = {"currency": "EUR", "cpu_hour": 0.1, "gpu_hour": {"A1": 1.0}}
    file = grid(tmp_path / "here", {"executor": "local", "prices": prices}, axes=axes, explainers=[])
    name = torch.cuda.get_device_name()
    refused = command(file.parent, "launch", file, "--max-cost", "5").said(2)
    assert f"launch.prices.gpu_hour has no price for {name}, which this machine has (known: A1)" in " ".join(refused.split())
    assert not (file.parent / "studies" / "small" / "store" / "train").exists()
    command(file.parent, "launch", file, "launch.prices.gpu_hour.any=3600", "--max-cost", "5000").said()
    shown = json.loads(command(file.parent, "status", "studies/small", "--json").said())
    assert shown["spent"]["gpu_hours"] > 0
    assert shown["spent"]["cost"] > 0
    assert len(markers(file, monkeypatch)) == 2


def test_preflight_multiplies_matrices_on_this_gpu(cuda: str, tmp_path: Path) -> None:
    file = grid(tmp_path / "here", {})
    found = json.loads(command(file.parent, "cluster", "preflight", file, "--json").said())
    assert found["ok"], found
    texts = [one["text"] for one in found["findings"] if one["check"] == "gpu"]
    gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    assert texts == [f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}, {round(gib, 1):g} GiB"], found

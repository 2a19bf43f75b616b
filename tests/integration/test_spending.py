"""Limits, estimates and samples on real launches: in this process, with workers, and on Ray with a GPU of its scheduler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from launching import Store, environment, facegrid, grid, here, here_any, runs
from ray_nodes import Nodes

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
LOCAL = "launch.executor=local"


def four_cells(tree: dict[str, Any]) -> None:
    """Four trainings, each with an evaluation; no shared stages."""
    tree["axes"] = {"rate": {f"r{number}": {"recipe.lr": 0.002 * number} for number in range(1, 5)}}
    tree["skip"], tree["explainers"] = [], []


def spent(study: Path) -> dict[str, Any]:
    from grid.ledger.study import Study
    from grid.results.status import status

    found: dict[str, Any] = status(Study(study))["spent"]
    return found


def hours(study: Path) -> dict[str, float]:
    """Cell -> CPU-hours of its stages, from the markers."""
    markers = Store(study / "store").markers()
    cells = json.loads((study / "plan.json").read_text())["cells"]
    found = {}
    for cell in cells:
        own = [marker for (_, id), marker in markers.items() if id in cell["stages"].values()]
        found[cell["id"]] = sum(marker.finished - marker.started for marker in own) / 3600
    return found


def test_a_launch_stops_at_its_limit_and_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    file, study = grid(tmp_path / "tiny.yaml", four_cells), tmp_path / STUDY
    warm = tmp_path / "warm"  # the first training of a process imports much, so that it takes as long as several others
    warm.mkdir()
    here(warm, "launch", grid(warm / "tiny.yaml", four_cells), LOCAL, "--where", "rate=r1")
    code, said = here_any(tmp_path, "launch", file, LOCAL, "--max-cpu-hours", "1e-6")
    assert code == 3, said
    assert said.count("stopped: the limit of 1e-06 CPU-hours leaves no room for more work: the study has spent") == 1
    assert "and 6 stages are left; a higher limit goes on from here" in said
    sentence = "stopped at its limit of 1e-06 CPU-hours with 6 stages left; run the same command with a higher --max-cpu-hours"
    assert sentence in " ".join(here(tmp_path, "status", STUDY).split())
    one = spent(study)
    assert one["attempts"] == 2, "one piece: a training and its evaluation"
    assert one["cpu_hours"] == pytest.approx(max(hours(study).values()), rel=0.1)
    code, said = here_any(tmp_path, "launch", file, LOCAL, "--max-cpu-hours", "1e-6")
    assert code == 3, said
    assert spent(study) == one, "what the first launch spent counts"
    # now one cell is measured: another fits into 2.5 times its hours, unless this machine got much slower
    limit = 2.5 * one["cpu_hours"]
    code, said = here_any(tmp_path, "launch", file, LOCAL, "--max-cpu-hours", str(limit))
    assert code == 3, said
    assert one["attempts"] < spent(study)["attempts"] < 8
    assert spent(study)["cpu_hours"] <= limit + max(hours(study).values())
    assert "spent" in here(tmp_path, "status", STUDY)
    here(tmp_path, "launch", file, LOCAL, "--max-cpu-hours", "1")
    assert "stopped" not in here(tmp_path, "status", STUDY)
    assert spent(study)["attempts"] == 8


def test_a_plan_estimates_a_real_study_from_what_was_measured(tmp_path: Path) -> None:
    file = grid(tmp_path / "tiny.yaml", four_cells)
    nothing = here(tmp_path, "plan", file, "--cluster", "1x0/1")
    assert "unknown: 4 stages of kind train, 4 stages of kind evaluate have no history" in " ".join(nothing.split())
    here(tmp_path, "launch", file, LOCAL, "--where", "rate=r1,rate=r2")
    found = json.loads(here(tmp_path, "plan", file, "--cluster", "1x0/1", "launch.prices.cpu_hour=0.1", "--json"))["spending"]
    assert (found["stages"], found["measured"], found["unknown"]) == (4, 4, {})
    before = spent(tmp_path / STUDY)["cpu_hours"]
    here(tmp_path, "launch", file, LOCAL)
    took = 3600 * (spent(tmp_path / STUDY)["cpu_hours"] - before)
    low, high = found["seconds"]["low"], found["seconds"]["high"]
    assert low / 3 <= took <= 3 * high, "the interval is one of 90 %, and this machine may be busier or idler now"
    assert found["cost"]["median"] == pytest.approx(0.1 * found["hours"]["CPU"]["median"])
    assert "nothing to run" in here(tmp_path, "plan", file, "--cluster", "1x0/1")
    for one in runs(tmp_path / STUDY).values():
        assert one[0].data.metrics["system/process_memory_usage_megabytes"] > 100


@pytest.mark.slow
def test_ray_reserves_gpu_hours_and_a_limit_holds_for_each_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two units of work at once, each with half of a GPU that exists for Ray's scheduler only."""
    file, study = grid(tmp_path / "tiny.yaml", four_cells), tmp_path / STUDY
    nodes = Nodes(monkeypatch)
    try:
        nodes.add(num_cpus=2, num_gpus=1)
        options = ("launch.resources.gpus=0.5", "--address", nodes.address, "--max-gpu-hours", "1e-6")
        said = facegrid(tmp_path, "launch", file, *options, code=3)
    finally:
        nodes.close()
    assert "the limit of 1e-06 GPU-hours leaves no room" in said
    found = spent(study)
    begun = sorted(seconds for seconds in hours(study).values() if seconds)
    assert 1 <= len(begun) <= 2, "no more than one piece per worker"
    assert found["gpu_hours"] == pytest.approx(0.5 * sum(begun), rel=0.1)
    assert found["cpu_hours"] == pytest.approx(2 * found["gpu_hours"])


def test_workers_share_a_limit(tmp_path: Path) -> None:
    file, study = grid(tmp_path / "tiny.yaml", four_cells), tmp_path / STUDY
    here(tmp_path, "launch", file, LOCAL, "--no-run")
    code, said = here_any(tmp_path, "work", STUDY, "--max-cpu-hours", "1e-6")
    assert code == 3, said
    first = spent(study)
    assert first["attempts"] == 2
    code, said = here_any(tmp_path, "work", STUDY, "--max-cpu-hours", "1e-6")
    assert code == 3, said
    assert spent(study) == first


QUICK = """
import sys
from facegrid import main
sys.argv = ["facegrid", *sys.argv[1:]]
try:
    main()
finally:
    print("heavy:", [name for name in ("torch", "ray", "pandas") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["launch", "tiny.yaml", "--max-cost", "1"], "--max-cost needs launch.prices"),
        (["plan", "tiny.yaml", "--cluster", "big"], "launch.cluster"),
        (["plan", "tiny.yaml", "--cluster", ""], "launch.cluster"),
        (["plan", "tiny.yaml", "--cluster", "1x1:H100+1x1:A100"], "estimate one type at a time"),
    ],
)
def test_money_without_prices_and_wrong_shapes_are_one_line_before_anything_large_is_imported(
    tmp_path: Path, words: list[str], said: str
) -> None:
    grid(tmp_path / "tiny.yaml", four_cells)
    command = [sys.executable, "-c", QUICK, *words]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment("quick"), check=False)
    assert found.returncode == 2
    assert said in found.stderr
    assert found.stderr.count("\n") == 1
    assert found.stdout.strip() == "heavy: []"

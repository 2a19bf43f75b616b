"""Exit codes, imports and the shape of JSON, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Run, nothing_launched

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "ray", "mlflow", "pytorch_lightning", "scipy.stats", "statsmodels", "matplotlib")


def process(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own; at its end it says which heavy packages it has imported."""
    program = (
        "import atexit, sys\n"
        f"def tell(): print('imported', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "atexit.register(tell)\n"
        "from facegrid import main\n"
        "main()\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "100", **more}
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("imported"))
    return set(line.split()[1:])


def test_the_process_ends_with_exit_code_2(grid: Callable[..., Path], study: Path) -> None:
    done = process("launch", grid(axes={}), "recipe.epoch=3")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "override 'recipe.epoch=3': unknown key 'recipe.epoch'; did you mean 'recipe.epochs'?" in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("imported")]) == 1
    nothing_launched(study)


def test_plan_prints_json_of_the_documented_shape_and_imports_no_engine(grid: Callable[..., Path]) -> None:
    done = process("plan", grid(), "--json")
    assert done.returncode == 0, done.stderr
    assert imported(done) <= {"torch"}
    found = json.loads(done.stdout)
    assert list(found) == [
        "grid",
        "axes",
        "replicates",
        "replicate_scope",
        "ensembles",
        "cells",
        "names",
        "stages",
        "cost",
        "left_out",
        "design",
        "power",
        "spending",
    ]
    assert found["grid"] == "small"
    for cell in found["cells"]:
        assert list(cell) == ["id", "levels", "state", "reason", "stages"]
        assert set(cell["stages"]) == {"train", "evaluate:drawn", "explain:gradcam"}
    assert [cell["levels"] for cell in found["cells"]] == [{"rate": "low"}, {"rate": "high"}]
    for stage in found["stages"]:
        assert list(stage) == ["id", "stage", "label", "state", "reason", "needs", "cells"]
    assert set(found["cost"]) == {"cells", "training_flops", "disk_bytes"}
    assert set(found["cost"]["cells"]) == {cell["id"] for cell in found["cells"]}
    for cost in found["cost"]["cells"].values():
        assert set(cost) == {"parameters", "flops", "training_flops", "disk_bytes"}


def test_status_prints_json_of_the_documented_shape_and_imports_nothing_heavy(grid: Callable[..., Path], study: Path) -> None:
    from grid.execution.launch import write_plan
    from grid.plan.plan import make_plan
    from grid.spec.grid_file import read

    read_grid = read(grid())
    write_plan(make_plan(read_grid), read_grid)
    done = process("status", study, "--json")
    assert done.returncode == 0, done.stderr
    assert imported(done) == set()
    found = json.loads(done.stdout)
    assert list(found) == ["study", "launch", "cells", "mlflow", "accepted", "environments", "spent", "stopped"]
    assert found["stopped"] is None
    assert found["accepted"] == []
    assert found["study"] == "small"
    for cell in found["cells"]:
        assert list(cell) == ["id", "levels", "state", "running", "metrics", "attempts", "error"]
        assert (cell["state"], cell["metrics"], cell["error"]) == ("run", {}, None)
        assert cell["attempts"] == {"train": 0, "evaluate:drawn": 0, "explain:gradcam": 0}
    assert found["mlflow"] == {"experiment": None, "runs": {}}


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (["--help"], {}),
        (["launch", "--help"], {}),
        (["--version"], {}),
        ([], {"_FACEGRID_COMPLETE": "complete_bash", "COMP_WORDS": "facegrid pl", "COMP_CWORD": "1"}),
    ],
    ids=["help", "help of launch", "version", "completion"],
)
def test_help_and_completion_answer_without_heavy_imports(words: list[str], more: dict[str, str]) -> None:
    program = (
        "import sys; sys.argv[0] = 'facegrid'\n"
        "from facegrid import main\n"
        "try: main()\n"
        f"finally: print('imported', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    environment = {**os.environ, "NO_COLOR": "1", **more}
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert imported(done) == set()
    assert {"": "plan", "--help": "launch", "launch": "--retry", "--version": "facegrid 0"}[
        words[0] if words else ""
    ] in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_is_exit_code_130_and_says_what_to_do(
    run: Run, grid: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr("grid.plan.plan.make_plan", interrupted)
    said = run("plan", grid())
    assert said.code == 130
    assert said.err == "facegrid: interrupted; the same command goes on from here\n"


def test_ctrl_c_of_a_launch_is_answered_at_once(run: Run, grid: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = [], os.write

    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("grid.execution.launch.checked_plan", interrupted)
    monkeypatch.setattr(os, "write", lambda file, data: written.append(data) if file == 2 else write(file, data))
    before = signal.getsignal(signal.SIGINT)
    try:
        said = run("launch", grid())
    finally:
        signal.signal(signal.SIGINT, before)
    assert said.code == 130
    assert written == [b"\nfacegrid: stopping the workers; finished stages and checkpoints are kept\n"]
    assert said.err.endswith("facegrid: interrupted; the same command goes on from here\n")

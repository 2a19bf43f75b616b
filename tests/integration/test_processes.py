"""Exit codes, imports and the shape of JSON, in processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Run, nothing_launched
from launching import Facegrid, family

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
        "refusals",
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
    assert found["mlflow"] == {"experiment": None, "runs": {}, "copied": {}}


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


def test_what_uses_trained_networks_imports_no_training_engine() -> None:
    """It takes seconds, for nothing."""
    users = "stages.evaluate, stages.explain, stages.score, library.network, judge.judge, explain.two_images, export.embedder"
    modules = ", ".join(f"grid.{user}" for user in users.split(", "))
    program = f"import sys, {modules}\nprint(*{{'pytorch_lightning', 'lightning_fabric', 'torchmetrics'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


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


STARTED = """
import atexit, os, signal, sys, tempfile
atexit.register(print, "at the end")
print(sys.argv, os.environ["CANARY"], os.environ["OMP_NUM_THREADS"], tempfile.gettempdir(), os.getcwd(), __name__)
print(os.getsid(0) == os.getpid(), signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
os.system("echo from a child: $CANARY; echo to stderr >&2")
"""


@pytest.mark.parametrize(
    ("end", "code", "last"),
    [
        ("", 0, "at the end"),
        ("sys.exit(3)", 3, "at the end"),
        ("sys.exit('no such face')", 1, "at the end"),
        ("raise ValueError('no such face')", 1, "at the end"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, "to stderr"),
        ("os.kill(os.getpid(), signal.SIGTERM)", -15, "to stderr"),
    ],
)
def test_a_forked_driver_is_like_one_that_a_user_starts(tmp_path: Path, end: str, code: int, last: str) -> None:
    """Tests with drivers rely on it; see ``forked.Program``."""
    said = []
    for fresh in (True, False):
        program = f"{STARTED}\nsys.stdout.flush()\n{end}"
        with Facegrid(tmp_path, "a word", program=program, fresh=fresh, CANARY="tweets", TMPDIR=str(tmp_path)) as driver:
            assert driver.wait(60) == code, driver.said
            assert driver.process.poll() == driver.process.returncode == code
            assert driver.process.pid not in {one.pid for one in family(driver.family)}
        said.append(re.sub(r'File "<.*', "", driver.said).splitlines())
    assert said[0] == said[1]
    assert said[0][-1] == last
    assert str(tmp_path) in said[0][0]


def test_a_forked_driver_belongs_to_its_family_until_it_ends(tmp_path: Path) -> None:
    with Facegrid(tmp_path, program="import time; time.sleep(60)") as driver:
        assert [one.pid for one in family(driver.family)] == [driver.process.pid]
        with pytest.raises(subprocess.TimeoutExpired):
            driver.process.wait(0.1)
        driver.kill()
        assert driver.process.poll() == -9
        assert family(driver.family) == []


def test_the_process_that_drivers_are_forked_from_belongs_to_no_family(tmp_path: Path) -> None:
    """Also if the first test that needs it sets its own environment: with that test's processes all later drivers would end."""
    program = (
        "import os; os.environ.update(FACEGRID_TEST_FAMILY='mine', OF_A_TEST='mine')\n"
        "import forked\n"
        "forked.HEAVY, forked.LAUNCH = [], []\n"
        "print(forked.run('import os; print(os.environ.get(\"OF_A_TEST\"))', forked.Path('.')))\n"
        "from launching import TAG, family\n"
        "print(TAG, os.environ['OF_A_TEST'], family('mine'))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests/grids'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["None", "FACEGRID_TEST_FAMILY", "mine", "[]"], done.stderr

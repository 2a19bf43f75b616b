"""The command line as people meet it: bad input is one clear line and exit code 2, and nothing is launched."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "configs/grids").glob("*.yaml"))
HEAVY = ("torch", "ray", "mlflow", "pytorch_lightning")
BASE: dict[str, Any] = {
    "name": "small",
    "base": {
        "data": {"name": "drawn", "persons": 4, "shots": 4},
        "input": {"size": 64},
        "backbone": "alexnet",
        "recipe": {"name": "one_cycle", "epochs": 2},
    },
    "axes": {"rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}}},
    "protocols": [{"name": "drawn", "persons": 20, "shots": 8, "folds": 5}],
    "explainers": [{"name": "gradcam", "images": 2}],
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """``run("plan", file)``: the real entry point, in this process."""
    from grid.cli import main

    before = signal.getsignal(signal.SIGTERM)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["facegrid", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    yield run
    signal.signal(signal.SIGTERM, before)


def process(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
    """The same in a process of its own; at its end it says which heavy packages it has imported."""
    program = (
        "import atexit, sys\n"
        f"def tell(): print('imported', *[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "atexit.register(tell)\n"
        "from grid.cli import main\n"
        "main()\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "100", **more}
    command = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("imported"))
    return set(line.split()[1:])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "studies/small"


@pytest.fixture
def grid(tmp_path: Path, study: Path) -> Callable[..., Path]:
    """``grid(axes=...)`` writes BASE with such parts; ``base`` is merged."""

    def grid(base: dict[str, Any] | None = None, **parts: Any) -> Path:
        file = tmp_path / "grid.yaml"
        tree = {**BASE, "launch": {"study": str(study)}, **parts, "base": {**BASE["base"], **(base or {})}}
        file.write_text(yaml.safe_dump(tree, sort_keys=False))
        return file

    return grid


def one_line(said: Said) -> str:
    """The complaint; it must be the only thing that was said."""
    assert said.code == 2, said
    assert said.out == "", said
    assert said.err.startswith("facegrid: "), said
    assert said.err.count("\n") == 1, said
    assert said.err.endswith("\n"), said
    return said.err.removeprefix("facegrid: ").strip()


def nothing_launched(study: Path) -> None:
    left = {path.relative_to(study).parts[0] for path in study.rglob("*") if path.is_file()} if study.is_dir() else set()
    assert left <= {"lock", "store"}, left
    if (study / "store").is_dir():
        assert {path.name for path in (study / "store").iterdir()} <= {"scans"}
    assert not (study.parent / "mlflow.db").exists()


def refused(run: Run, study: Path, command: str, *words: object) -> str:
    line = one_line(run(command, *words))
    nothing_launched(study)
    return line


# -- real faces on disk, few and small


@pytest.fixture(scope="module")
def drawn_lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Labeled Faces in the Wild has it: eight drawn persons with three photographs each, and its lists."""
    import cv2

    from datamodules.datasets.drawn import Config as Drawn

    root = tmp_path_factory.mktemp("faces") / "lfw"
    config = Drawn(persons=8, shots=3, size=64)
    manifest = config.manifest(root)
    images = config.build(manifest)
    for row in range(len(manifest.keys)):
        person, number = f"Person_{row // 3}", row % 3 + 1
        folder = root / "images" / person
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{person}_{number:04d}.jpg"), images.image(row)[:, :, ::-1])

    def genuine(person: int) -> str:
        return f"Person_{person}\t1\t2"

    def impostor(one: int, other: int) -> str:
        return f"Person_{one}\t1\tPerson_{other}\t3"

    early = [genuine(0), genuine(1), impostor(0, 1), impostor(2, 3)]
    late = [genuine(4), genuine(5), impostor(4, 5), impostor(6, 7)]
    (root / "pairsDevTest.txt").write_text("\n".join(["2", *early]) + "\n")
    (root / "pairs.txt").write_text("\n".join(["2\t2", *early, *late]) + "\n")
    return root


@pytest.fixture
def lfw(drawn_lfw: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(drawn_lfw, tmp_path / "lfw"))


def on_lfw(lfw: Path, view: int = 1, **data: Any) -> dict[str, Any]:
    return {
        "base": {"data": {"name": "lfw", "root": str(lfw), "exclude": ["view1_test"], **data}},
        "axes": {},
        "protocols": [{"name": "lfw", "label": f"view {view}", "root": "${data.root}", "view": view}],
    }


# -- bad input that needs no data


@pytest.mark.parametrize(
    ("parts", "words", "complaint"),
    [
        ({"axis": {}}, [], "unknown key 'axis'; did you mean 'axes'? (known: axes, base, "),
        ({"base": {"recip": {}}}, [], "unknown key 'recip'; did you mean 'recipe'? (known: "),
        ({"base": {"seed": "abc"}}, [], "seed: input should be a valid integer"),
        ({"base": {"backbone": "resnet43"}}, [], "unknown backbone 'resnet43'; did you mean 'resnet34'? (known: alexnet, "),
        ({}, ["--where", "rate=lo"], "--where: axis 'rate' has no level 'lo'; did you mean 'low'? (known: high, low)"),
        ({}, ["--where", "rat=low"], "--where: unknown axis 'rat'; did you mean 'rate'? (known: rate)"),
        ({}, ["--where", "low"], "--where 'low': write axis=level, such as --where "),
        ({}, ["recipe.lr=0.5"], "override 'recipe.lr=0.5': axis 'rate' sets 'recipe.lr' (level 'low'); choose levels"),
        ({"axes": {"rate": {}}}, [], "axis 'rate' has no levels; give it levels or remove it"),
        (
            {"axes": {"rate": {"low": {"recipe.lr": 0.01}, "slow": {"recipe.lr": 0.01}}}},
            [],
            "two combinations give the same cell: rate=low and rate=slow; remove a level or skip one",
        ),
        ({"base": {"recipe": {"name": "one_cycle", "lr": float("nan")}}, "axes": {}}, [], "recipe.lr: input should be "),
        ({"axes": {}}, ["recipe.lr=.nan"], "override 'recipe.lr=.nan': recipe.lr: input should be "),
        ({"axes": {"size": {"tiny": {"input.size": 32}}}}, [], "cell size=tiny: "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["plan", "launch", "debug"])
def test_bad_input_is_met_before_anything_is_launched(
    run: Run, grid: Callable[..., Path], study: Path, command: str, parts: dict[str, Any], words: list[str], complaint: str
) -> None:
    line = refused(run, study, command, grid(**parts), *words)
    assert complaint in line


def test_the_line_names_file_and_line(run: Run, grid: Callable[..., Path], study: Path) -> None:
    file = grid({"recipe": {"name": "one_cycle", "lr": -1}}, axes={})
    number = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "lr: -1" in text)
    assert refused(run, study, "plan", file).startswith(f"{file}:{number}: recipe.lr: input should be greater than 0; found -1")


def test_an_absent_grid_file_is_named(run: Run, tmp_path: Path, study: Path) -> None:
    assert "nothing.yaml: no such grid file" in refused(run, study, "plan", tmp_path / "nothing.yaml")


def test_a_checkpoint_of_another_architecture_is_refused(
    run: Run, grid: Callable[..., Path], study: Path, tmp_path: Path
) -> None:
    import torch

    from configs.lookup import resolve

    backbone: Any = resolve("backbone", "mobilenetv3_small")
    torch.save(backbone.build().state_dict(), tmp_path / "other.pth")
    file = grid({"pretraining": {"name": "checkpoint", "path": str(tmp_path / "other.pth")}}, axes={})
    for command in ("plan", "launch"):
        line = refused(run, study, command, file)
        assert f"{file}: cell the only cell: backbone alexnet: {tmp_path / 'other.pth'}" in line


@pytest.mark.parametrize("command", ["launch", "debug"])
def test_a_study_that_cannot_be_written_is_refused(run: Run, grid: Callable[..., Path], tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("in the way")
    line = one_line(run(command, grid(axes={}), f"launch.study={tmp_path / 'file' / 'study'}"))
    assert line == f"{tmp_path / 'file' / 'study'}: cannot be written (Not a directory); choose another with launch.study=..."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "grid.yaml"]


def test_a_folder_that_is_no_study_is_refused(run: Run, tmp_path: Path) -> None:
    for command in ("status", "report", "sync"):
        line = one_line(run(command, tmp_path))
        assert line == f"{tmp_path}: no study (it has no plan.json); `facegrid launch GRID` makes one"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_word_for_retry_is_refused(run: Run, grid: Callable[..., Path], study: Path) -> None:
    assert refused(run, study, "launch", grid(), "--retry", "all") == "--retry 'all': known are failed and stale"


# -- bad data


def test_absent_data_blocks_a_plan_and_refuses_a_launch(
    run: Run, grid: Callable[..., Path], study: Path, tmp_path: Path
) -> None:
    file = grid(**on_lfw(tmp_path / "nowhere"))
    said = run("plan", file, "--json")
    assert said.code == 0
    (cell,) = json.loads(said.out)["cells"]
    assert (cell["id"], cell["state"], cell["stages"]) == (None, "blocked", {})
    line = refused(run, study, "launch", file)
    assert f"1 of 1 cells are blocked: no folder {tmp_path / 'nowhere'} with LFW; get Labeled Faces in the Wild" in line


def test_a_list_that_names_an_absent_image_is_refused(run: Run, grid: Callable[..., Path], study: Path, lfw: Path) -> None:
    (lfw / "images/Person_1/Person_1_0002.jpg").unlink()
    for command in ("plan", "launch"):
        line = refused(run, study, command, grid(**on_lfw(lfw)))
        where = (
            f"{lfw / 'pairsDevTest.txt'}, line 3: names the image Person_1/Person_1_0002.jpg, which is not in {lfw / 'images'}"
        )
        assert where in line
        assert "(1 of 7 images are absent)" in line


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def test_a_truncated_image_is_named_before_the_launch(run: Run, grid: Callable[..., Path], study: Path, lfw: Path) -> None:
    truncate(lfw / "images/Person_6/Person_6_0002.jpg")
    file = grid(**on_lfw(lfw))
    said = run("plan", file, "--json")  # the plan reads no images: it says that the launch will
    assert [cell["state"] for cell in json.loads(said.out)["cells"]] == ["pending"]
    said = run("launch", file)
    assert said.code == 2
    assert "Person_6/Person_6_0002.jpg" in said.err
    assert said.err.count("\n") == 1
    nothing_launched(study)
    assert "Person_6/Person_6_0002.jpg" in refused(run, study, "plan", file)  # now that it was read, the plan knows


def test_truncated_images_can_be_skipped_and_are_counted(grid: Callable[..., Path], lfw: Path, tmp_path: Path) -> None:
    from rich.console import Console

    from grid.preflight import checked_plan
    from grid.spec import read

    truncate(lfw / "images/Person_6/Person_6_0002.jpg")
    whole = on_lfw(shutil.copytree(lfw, tmp_path / "same"))
    (tmp_path / "same/images/Person_6/Person_6_0002.jpg").unlink()
    console = Console(file=open(os.devnull, "w"), record=True, width=200)  # noqa: SIM115
    plan = checked_plan(read(grid(**on_lfw(lfw, on_bad_image="skip"))), None, console)
    assert plan.counts() == {"run": 1}
    text = console.export_text()
    assert "skipped Person_6/Person_6_0002.jpg: " in text
    assert text.count("skipped ") == 1
    console.print("again")
    assert checked_plan(read(grid(**on_lfw(lfw, on_bad_image="skip"))), None, console).cells[0].id == plan.cells[0].id
    assert "skipped" not in console.export_text()  # it was read once
    left_out = checked_plan(read(grid(**whole)), None, console)
    assert left_out.cells[0].stages["train"] == plan.cells[0].stages["train"]  # content counts, not how it came about


def test_people_who_were_trained_on_are_refused_with_what_remains(
    run: Run, grid: Callable[..., Path], study: Path, lfw: Path
) -> None:
    file = grid(**on_lfw(lfw, view=2))
    said = run("launch", file)  # its preflight reads the images, and meets the overlap
    assert said.code == 2
    for line in (said.err.strip(), refused(run, study, "plan", file)):
        assert line.endswith(
            f"{file}: cell the only cell: protocol view 2: 4 of its people are in the training set, so 4 of its 8 pairs say "
            "nothing about strangers; `overlap: drop` evaluates the 4 pairs that are free of them"
        )
    nothing_launched(study)
    said = run("plan", file, "protocols.0.overlap=drop", "--json")
    assert [cell["state"] for cell in json.loads(said.out)["cells"]] == ["run"]


def test_data_check_names_what_is_bad(run: Run, lfw: Path) -> None:
    truncate(lfw / "images/Person_6/Person_6_0002.jpg")
    said = run("data", "check", "lfw", f"root={lfw}", "--json")
    facts = json.loads(said.out)
    assert said.code == 1
    assert (facts["whole"], facts["images"], facts["persons"]) == (False, 23, 8)
    assert list(facts["bad"]) == ["Person_6/Person_6_0002.jpg"]
    assert run("data", "check", "drawn").code == 0
    assert "no dataset 'lwf'; did you mean 'lfw'?" in one_line(run("data", "check", "lwf"))
    assert "lfw" in run("data", "list").out


# -- what ships


@pytest.mark.parametrize("file", SHIPPED, ids=[file.stem for file in SHIPPED])
def test_every_shipped_grid_can_be_planned(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no data is
    said = run("plan", file, f"launch.study={tmp_path / 'study'}", "--json")
    assert said.code == 0, said.err
    record = json.loads(said.out)
    assert record["grid"] == file.stem
    states = {cell["state"] for cell in record["cells"]}
    assert states <= {"run", "blocked", "skipped"}
    assert file.stem != "demo" or states == {"run"}
    assert not (tmp_path / "study").exists()
    shown = run("plan", file, f"launch.study={tmp_path / 'study'}")
    assert f"{len(record['cells'])} cells: " in shown.out


# -- exit codes, imports and shapes, in processes of their own


def test_the_process_ends_with_exit_code_2(grid: Callable[..., Path], study: Path) -> None:
    done = process("launch", grid(axes={}), "recipe.epoch=3")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "override 'recipe.epoch=3': unknown key 'recipe.epoch'; did you mean 'epochs'?" in done.stderr
    assert len([line for line in done.stderr.splitlines() if not line.startswith("imported")]) == 1
    nothing_launched(study)


def test_plan_prints_json_of_the_documented_shape_and_imports_no_engine(grid: Callable[..., Path]) -> None:
    done = process("plan", grid(), "--json")
    assert done.returncode == 0, done.stderr
    assert imported(done) <= {"torch"}
    found = json.loads(done.stdout)
    assert list(found) == ["grid", "axes", "replicates", "replicate_scope", "cells", "stages", "cost"]
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
    from grid.launch import write_plan
    from grid.plan import make_plan
    from grid.spec import read

    read_grid = read(grid())
    write_plan(make_plan(read_grid), read_grid)
    done = process("status", study, "--json")
    assert done.returncode == 0, done.stderr
    assert imported(done) == set()
    found = json.loads(done.stdout)
    assert list(found) == ["study", "cells", "mlflow"]
    assert found["study"] == "small"
    for cell in found["cells"]:
        assert list(cell) == ["id", "levels", "state", "metrics", "attempts", "error"]
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
        "from grid.cli import main\n"
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


def test_an_interrupt_is_exit_code_130_and_says_what_to_do(
    run: Run, grid: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("grid.plan.make_plan", interrupted)
    said = run("plan", grid())
    assert said.code == 130
    assert said.err == "facegrid: interrupted; the same command goes on from here\n"

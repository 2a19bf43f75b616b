"""The command line as people meet it: bad input is one clear line and exit code 2, and nothing is launched."""

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import Run, Said, nothing_launched

from grid.terminal import counted

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "configs/grids").glob("*.yaml"))


def one_line(said: Said) -> str:
    """The complaint; it must be the only thing that was said, but for a launch that says what it begins with."""
    assert said.code == 2, said
    assert said.out in ("", "small: checking the grid, its data and its networks\n"), said
    assert said.err.startswith("facegrid: "), said
    assert said.err.count("\n") == 1, said
    assert said.err.endswith("\n"), said
    return said.err.removeprefix("facegrid: ").strip()


def refused(run: Run, study: Path, command: str, *words: object) -> str:
    line = one_line(run(command, *words))
    nothing_launched(study)
    return line


# -- real faces on disk, few and small


@pytest.fixture(scope="module")
def drawn_lfw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Labeled Faces in the Wild has it: eight drawn subjects with three photographs each, and its lists."""
    import cv2

    from datamodules.datasets.drawn import DrawnDatasetConfig as Drawn

    root = tmp_path_factory.mktemp("faces") / "lfw"
    config = Drawn(subjects=8, shots=3, size=64)
    manifest = config.manifest(root)
    images = config.build(manifest)
    for row in range(len(manifest.keys)):
        subject, number = f"Person_{row // 3}", row % 3 + 1
        folder = root / "images" / subject
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{subject}_{number:04d}.jpg"), images.image(row)[:, :, ::-1])

    def genuine(subject: int) -> str:
        return f"Person_{subject}\t1\t2"

    def impostor(one: int, other: int) -> str:
        return f"Person_{one}\t1\tPerson_{other}\t3"

    early = [genuine(0), genuine(1), impostor(0, 1), impostor(2, 3)]
    first, second = (
        [genuine(0), genuine(4), impostor(0, 1), impostor(4, 5)],
        [genuine(1), genuine(5), impostor(2, 3), impostor(6, 7)],
    )
    (root / "pairsDevTest.txt").write_text("\n".join(["2", *early]) + "\n")
    (root / "pairs.txt").write_text("\n".join(["2\t2", *first, *second]) + "\n")
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
        ({"base": {"backbone": "resnet43"}}, [], "unknown backbone 'resnet43'; did you mean 'resnet34'? (known: abn, "),
        ({}, ["--where", "rate=lo"], "--where: axis 'rate' has no level 'lo'; did you mean 'low'? (known: high, low)"),
        ({}, ["--where", "rat=low"], "--where: unknown axis 'rat'; did you mean 'rate'? (known: rate)"),
        ({}, ["--where", "low"], "--where 'low': expected axis=level at 'low'; write --where "),
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


@pytest.mark.parametrize(
    "override",
    [
        "launch.trackin=https://me:hunter2@host",
        "launch.tracking=[https://me:hunter2@host]",
        "launch.tracking={uri: https://hunter2@host}",
        "tracking=https://me:hun/ter2@hunter2@host/?token=hunter2",
        "launch.tracking: https://me:it's hunter2@host",
    ],
)
@pytest.mark.parametrize("command", ["plan", "launch", "debug"])
def test_no_complaint_shows_a_password(run: Run, grid: Callable[..., Path], study: Path, command: str, override: str) -> None:
    assert "hunter2" not in refused(run, study, command, grid(), override)


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
    below, file = tmp_path / "file" / "study", tmp_path / "file"
    line = one_line(run(command, grid(axes={}), f"launch.study={below}"))
    assert line == f"launch.study {below}: cannot be written ({file} is a file); choose another with launch.study=..."
    line = one_line(run(command, grid(axes={}), f"launch.study={file}"))
    assert line == f"launch.study {file}: cannot be written (a file has this name); choose another with launch.study=..."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "grid.yaml"]


def test_a_store_that_is_a_file_is_refused(run: Run, grid: Callable[..., Path], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    line = one_line(run("launch", grid(axes={}), f"launch.study={tmp_path / 'study'}", f"launch.store={file}"))
    assert line == f"launch.store {file}: cannot be written (a file has this name); choose another with launch.store=..."


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
    assert f"1 of 1 cells are blocked: no folder {tmp_path / 'nowhere'} with LFW; `facegrid data get lfw" in line


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

    from grid.plan.preflight import checked_plan
    from grid.spec.grid_file import read

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
            f"{file}: cell the only cell: protocol view 2: 4 of its subjects are in the training set, so 4 of its 8 pairs say "
            "nothing about unseen subjects; `overlap: drop` evaluates the 4 pairs that are free of them"
        )
    nothing_launched(study)
    said = run("plan", file, "protocols.0.overlap=drop", "--json")
    assert [cell["state"] for cell in json.loads(said.out)["cells"]] == ["run"]


def test_data_check_names_what_is_bad(run: Run, lfw: Path) -> None:
    truncate(lfw / "images/Person_6/Person_6_0002.jpg")
    said = run("data", "check", "lfw", f"root={lfw}", "--json")
    facts = json.loads(said.out)
    assert said.code == 1
    assert (facts["whole"], facts["images"], facts["subjects"]) == (False, 23, 8)
    assert list(facts["bad"]) == ["Person_6/Person_6_0002.jpg"]
    assert facts["absent"] == {"images": "only 24 of the 13,233 that the set has"}
    assert run("data", "check", "drawn").code == 0
    assert "no dataset 'lwf'; did you mean 'lfw'?" in one_line(run("data", "check", "lwf"))
    assert "lfw" in run("data", "list").out


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_data_get_takes_what_a_server_has_and_names_what_it_has_not(run: Run, shared: Path, tmp_path: Path) -> None:
    """The lists of LFW as they are published, from a server that lacks the images."""
    there = tmp_path / "server"
    there.mkdir()
    names = {"5976006": "pairs.txt", "5976009": "pairsDevTest.txt", "5976012": "pairsDevTrain.txt"}
    for address, name in names.items():
        (there / address).symlink_to(shared / "data" / "lfw" / name)
    handler = functools.partial(Quiet, directory=there)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        said = run("data", "get", "lfw", f"root={tmp_path / 'lfw'}", "--base", base)
        server.shutdown()
    assert said.code == 2
    assert f"{base}/5976015: the server says 404" in one_line(said)
    assert sorted(path.name for path in (tmp_path / "lfw").iterdir()) == sorted(names.values())
    assert "no public source" in one_line(run("data", "get", "vggface2", f"root={tmp_path}"))


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
    assert f"{counted(len(record['cells']), 'cell')}: " in shown.out

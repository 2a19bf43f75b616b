import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from grid.ledger.added_explanations import Explained, added, dropped
from grid.ledger.lock import Lock
from grid.ledger.store import LocalStore
from grid.ledger.study import Study
from grid.report.build import build
from grid.report.console import table as console_table
from grid.results.rows import table
from grid.results.status import show, status
from grid.spec.grid_file import BadInput
from grid.spec.stage_kind import StageName

HEAVY = ("torch", "ray", "mlflow", "pytorch_lightning", "matplotlib", "timm", "scipy", "pandas", "pyarrow", "jinja2")


def test_status_has_exactly_these_keys(make_study):
    found = status(make_study(axes={"backbone": ["alexnet"]}, pairs=60))
    assert list(found) == ["study", "launch", "cells", "mlflow", "accepted", "environments", "spent", "stopped"]
    assert [list(cell) for cell in found["cells"]] == [["id", "levels", "state", "running", "metrics", "attempts", "error"]]
    assert found["mlflow"] == {"experiment": None, "runs": {}, "copied": {}}
    assert json.loads(json.dumps(found)) == found


def test_states_errors_and_attempts_are_told_and_hidden_cells_left_out(make_study):
    study = make_study(
        failed=[{"backbone": "alexnet"}], unfinished=[{"backbone": "resnet34"}], skipped=[{"detection": "mtcnn"}],
        hidden=[{"backbone": "efficientnet_b1", "pretraining": "imagenet"}], pairs=60, explainers=(),
    )  # fmt: skip
    cells = status(study)["cells"]
    assert [cell["state"] for cell in cells].count("skipped") == 6
    assert len(cells) == 11
    alexnet, resnet, efficientnet = (
        next(cell for cell in cells if cell["levels"]["backbone"] == name and cell["id"])
        for name in ("alexnet", "resnet34", "efficientnet_b1")
    )
    assert (alexnet["state"], alexnet["error"]) == ("failed", "train: RuntimeError: the loss of batch 17 is NaN")
    assert alexnet["attempts"] == {"train": 2, "evaluate:lfw view 2": 0}
    assert (resnet["state"], resnet["error"], resnet["metrics"]) == ("run", None, {})
    assert (efficientnet["state"], efficientnet["error"]) == ("done", None)
    assert efficientnet["metrics"]["lfw view 2"]["pairs"] == 60


def test_an_output_of_another_size_opens_the_cell_again(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    study.ledger.path(study.cells[0].markers["train"], "model.safetensors").write_bytes(b"")
    (cell,) = status(Study(study.path))["cells"]
    assert cell["state"] == "run"
    assert "model.safetensors" in cell["error"]


def test_runs_are_read_from_the_sync(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    runs = {study.cells[0].id: "r1"}
    (study.path / "mlflow.json").write_text(json.dumps({"experiment": "7", "tracking": "sqlite://", "runs": runs}))
    assert status(study)["mlflow"] == {"experiment": "7", "runs": runs, "copied": None}


def test_runs_that_mlflow_lacks_are_counted_unless_something_runs_that_copies_them(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60)

    def first_line():
        return str(show(study).table.caption).splitlines()[0]

    missing = f"0 runs in MLflow, 1 missing or incomplete there: `facegrid sync {study.path}`"
    assert first_line() == f"1 done, 1 to run; {missing}"
    with Lock(LocalStore(study.path), "launch of it"):
        assert "MLflow" not in first_line()
    record = {"experiment": "7", "tracking": "sqlite://", "runs": {study.cells[0].id: "r1", "of a removed cell": "r2"}}
    for state, more in (("done", ""), ("run", f", {missing.partition(', ')[2]}")):  # "run": MLflow did not answer since
        (study.path / "mlflow.json").write_text(json.dumps({**record, "copied": {study.cells[0].id: state}}))
        assert first_line() == f"1 done, 1 to run; 1 run in MLflow{more}"
    (study.path / "mlflow.json").write_text(json.dumps({**record, "copied": {}}))  # a part of the run could not be copied
    assert first_line() == f"1 done, 1 to run; 1 run in MLflow, {missing.partition(', ')[2]}"
    (study.path / "mlflow.json").write_text(json.dumps(record))  # of an earlier version
    assert first_line() == "1 done, 1 to run; 1 run in MLflow"


def test_a_damaged_sync_file_is_one_clear_line(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    (study.path / "mlflow.json").write_text("[")
    with pytest.raises(BadInput, match=r"mlflow\.json: damaged .* `facegrid sync"):
        status(study)


def test_the_table_names_every_cell_and_every_reason(make_study):
    study = make_study(failed=[{"backbone": "alexnet", "detection": "none"}], pairs=60, explainers=())
    out = Console(width=100, file=io.StringIO(), color_system=None)
    out.print(show(study))
    text = out.file.getvalue()
    assert all(cell.id[:10] in text for cell in study.cells)
    assert text.count("failed: backbone=alexnet") == 2
    assert "10 done, 2 failed" in text


def test_status_imports_nothing_heavy_and_takes_less_than_a_second(make_study):
    study = make_study(pairs=60, explainers=())
    code = (
        "import sys, time, json; start = time.process_time()\n"
        "from pathlib import Path\nfrom grid.ledger.study import Study\nfrom grid.results.status import status, show\n"
        "study = Study(Path(sys.argv[1])); status(study); show(study)\n"
        "print(json.dumps([time.process_time() - start, sorted(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study.path)], capture_output=True, text=True, check=True)
    seconds, modules = json.loads(done.stdout)
    assert not set(HEAVY) & set(modules)
    assert seconds < 1  # of the processor: what else the machine does must not fail a test


def lose(study):
    """The study with an explanation that was added to its first cell, and failed."""
    train = study.cells[0].stages["train"]
    rise = Explained(train, StageName("explain", "rise"), "r1", (train,), {"name": "rise"})
    attempt = study.ledger.begin("explain", "r1", {})
    attempt.fail("RuntimeError: no such color", "", deterministic=True)
    (study.path / "plan.json").write_text(json.dumps(added(study.record, [rise])))
    return Study(study.path)


def test_an_added_explanation_that_fails_leaves_its_cell_done_and_is_told(make_study):
    study = lose(make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=()))
    assert [cell.state for cell in study.cells] == ["done", "done"]
    first, second = status(study)["cells"]
    assert (first["state"], second["error"]) == ("done", None)
    assert first["error"] == "added, and failed: explain:rise: RuntimeError: no such color"
    console = Console(file=io.StringIO(), width=200)
    console.print(show(study))
    said = " ".join(console.file.getvalue().split())
    assert "added, and failed: explain:rise: RuntimeError: no such color" in said
    assert "--drop" in said
    assert "added to the finished study, and failed: explain:rise" in build(study).read_text()
    (row, _) = table(study).rows
    assert (row.state, dict(row.lost)) == ("done", {"explain:rise": "RuntimeError: no such color"})


def test_what_is_dropped_is_told_no_more(make_study):
    study = lose(make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=()))
    record, gone = dropped(study.record, [study.cells[0].stages["train"]], ["rise"])
    (study.path / "plan.json").write_text(json.dumps(record))
    assert [one.label for one in gone] == ["explain:rise"]
    assert status(Study(study.path))["cells"][0]["error"] is None


def test_the_accuracy_is_the_cross_validated_one_as_in_the_headline_of_the_report(make_study):
    study = make_study(axes={"backbone": ["alexnet"]}, pairs=60, explainers=())
    study.cells[0].markers["evaluate:lfw view 2"].facts.update(best_threshold=0.9, ten_fold=0.8123)
    console = Console(file=io.StringIO(), width=100)
    console.print(show(study))
    assert "81.23 %" in console.file.getvalue()
    assert "90.00" not in console.file.getvalue()


def test_a_live_launch_and_its_running_stages_are_shown(make_study):
    study = make_study(
        axes={"backbone": ["alexnet", "resnet34"]}, unfinished=[{"backbone": "resnet34"}], pairs=60, explainers=()
    )
    console = Console(file=io.StringIO(), width=160)
    id = study.cells[1].stages["train"]
    lease = Lock(study.ledger.store, "train", prefix=f"train/{id}/lease")
    with Lock(LocalStore(study.path), "launch of ito2021"), lease:
        study.ledger.begin("train", id, {"stage": "train"})
        study = Study(study.path)
        found = status(study)
        console.print(show(study))
    assert found["launch"]["purpose"] == "launch of ito2021"
    assert [cell["state"] for cell in found["cells"]] == ["done", "running"]
    assert [one["epoch"] for one in found["cells"][1]["running"]] == [1]
    said = console.file.getvalue()
    assert "launch of ito2021 is alive" in said
    assert "running: backbone=resnet34: train, attempt 2, epoch 1 of 4" in said
    assert "1 done, 1 running" in said
    after = status(Study(study.path))
    assert (after["launch"], [cell["state"] for cell in after["cells"]]) == (None, ["done", "run"])


@pytest.mark.parametrize("width", [60, 40])
def test_no_number_is_cut_on_a_narrow_terminal(make_study, width):
    study = make_study(pairs=60, explainers=())
    for shown in (show(study), console_table(study)):
        console = Console(file=io.StringIO(), width=width)
        console.print(shown)
        text = console.file.getvalue()
        assert max(map(len, text.splitlines())) <= width
        for cell in study.cells:
            assert f"{100 * cell.markers['evaluate:lfw view 2'].facts['ten_fold']:.2f}" in text
        assert "…" not in text

"""Every kind of object in a study's folder, damaged in four ways: healed or one clear line, and no number changes.

One small study is launched once in this process, with everything that a store can hold: an attempt that was killed and resumed,
a failure that was forgiven, a marker that was voided. Each case puts it back as it was, damages one object, and asks ``plan``,
``status``, ``report`` and ``launch``. The study stays in its place, as a copy elsewhere would get MLflow runs of its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import empty_database
import pytest
import yaml
from launching import here_any
from rich.console import Console
from slow import slow
from small import folder

from grid.execution import launch as execution
from grid.execution.job import RunOptions, jobs_of, run
from grid.ledger.ledger import Ledger
from grid.ledger.sealed import seal, unseal
from grid.ledger.study import Study
from grid.plan.plan import Plan, store_of
from grid.plan.preflight import checked_plan
from grid.results.rows import table
from grid.spec.grid_file import read

pytestmark = pytest.mark.timeout(600)

KINDS = {
    "record of the study": "plan.json",
    "copy of the record": "plan.backup.json",
    "record of MLflow runs": "mlflow.json",
    "lock": "lock/*.json",
    "beat of a lock": "lock/*.beat",
    "end of a lock": "lock/*.free",
    "page": "report/index.html",
    "report as JSON": "report/report.json",
    "id of the store": "store/store.json",
    "image index": "store/scans/*",
    "crops": "store/crops/*.npy",
    "identity": "store/train/*/identity.json",
    "claim": "store/train/*/claims/*",
    "lease of a stage": "store/train/*/lease/*.json",
    "event": "store/train/*/*/events/*",
    "note of resuming": "store/train/*/*/resumed.json",
    "checkpoint": "store/train/*/*/checkpoints/*",
    "marker of a training": "store/train/*/done-*",
    "weights": "store/train/*/*/model.safetensors",
    "history": "store/train/*/*/history.json",
    "timing": "store/train/*/*/timing.json",
    "marker": "store/evaluate/*/done-001.json",
    "void marker": "store/evaluate/*/done-000.json",
    "void": "store/evaluate/*/void-*",
    "failure": "store/evaluate/*/failed-*",
    "forgiven failure": "store/evaluate/*/retry-*",
    "metrics": "store/evaluate/*/*/metrics.json",
    "scores": "store/evaluate/*/*/scores.parquet",
    "manifest of an explanation": "store/explain/*/*/manifest.json",
    "maps": "store/explain/*/*/maps.npy",
    "images of an explanation": "store/explain/*/*/images.npy",
    "detections": "store/detect/*/*/detections.parquet",
    "chunk of detections": "store/detect/*/*/chunks/*",
}
DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "flipped": lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
    "absent": lambda data: None,
}


class Killed(BaseException):
    """Ends an attempt as SIGKILL would."""


@dataclass(frozen=True)
class Prepared:
    """``folder`` holds faces, grid file and study; ``contents`` is what every later look at the study must find.

    ``kept``: the study as it was launched; its files are hard links, which nothing may write into.
    """

    folder: Path
    kept: Path
    contents: dict[str, str]
    metrics: dict[str, Any]


def write_grid(place: Path, faces: Path) -> Path:
    tree = {
        "name": "damage",
        "base": {
            "data": {"name": "folder", "root": str(faces)},
            "split": {"fraction": 0.34},
            "input": {"size": 64},
            "backbone": "alexnet",
            "head": {"name": "gap_bn", "dimension": 8},
            "detector": {"name": "mtcnn", "on_missing_face": "center_crop"},
            "recipe": {"name": "one_cycle", "lr": 0.01, "epochs": 2, "batch_size": 8},
        },
        "axes": {},
        "protocols": [{"name": "drawn", "subjects": 6, "shots": 3, "size": 64, "folds": 3, "pairs_per_fold": 12}],
        "explainers": [{"name": "gradcam", "images": 2}],
        "launch": {"study": str(place / "study"), "executor": "local"},
    }
    (place / "grid.yaml").write_text(yaml.safe_dump(tree))
    return place / "grid.yaml"


def contents(study: Path) -> dict[str, str]:
    """Stage -> content of its marker, whose outputs must be what was written."""
    ledger, record = Ledger(study / "store"), Study(study).record
    found = {stage["id"]: ledger.status(stage["stage"], stage["id"]) for stage in record["stages"]}
    for marker in (status.marker for status in found.values() if status.marker):
        for name, said in marker.outputs.items():  # without the ledger's own checks
            data = (study / "store" / marker.kind / marker.id / marker.attempt / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == said["sha256"], f"{marker.kind}: {name}"
    return {id: status.marker.content if status.marker else str(status) for id, status in found.items()}


def metrics(study: Path) -> dict[str, Any]:
    """Protocol -> metrics.json, of what can be read, as a report reads it."""
    (row,) = table(Study(study)).rows
    return dict(row.metrics)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    place = tmp_path_factory.mktemp("all") / "prepared"
    empty_database.place(place)
    grid = read(write_grid(place, Path(folder(place / "faces", 40))), [])
    quiet = Console(quiet=True)

    def job(plan: Plan, kind: str) -> Any:
        (stage,) = [stage for stage in plan.stages if stage.stage == kind]
        return jobs_of(plan.stages, store_of(grid))[stage.id]

    def kill(row: dict[str, Any]) -> None:
        if "finished_epoch" in row:
            raise Killed

    plan = checked_plan(grid, None, quiet)
    for one in plan.stages:
        if one.stage == "detect":
            run(jobs_of(plan.stages, store_of(grid))[one.id], RunOptions())
    with pytest.raises(Killed):
        run(job(plan, "train"), RunOptions(report=kill))
    evaluate = job(plan, "evaluate")
    ledger = Ledger(store_of(grid))
    ledger.begin("evaluate", evaluate.id, evaluate.identity).fail("ValueError: once", "", deterministic=True)
    assert execution.launch(grid, None, ["failed"], quiet) == 0
    ledger.void("evaluate", evaluate.id, "for the test")
    assert execution.launch(grid, None, [], quiet) == 0
    study = place / "study"
    missing = [kind for kind, pattern in KINDS.items() if not list(study.glob(pattern))]
    assert not missing, f"the prepared study has no {missing}"
    kept = shutil.copytree(study, place / "kept", copy_function=os.link)
    return Prepared(place, kept, contents(study), metrics(study))


@pytest.fixture
def study(prepared: Prepared) -> Path:
    """The study as it was launched. Its files are shared, so that a test replaces them and never writes into them."""
    study = prepared.folder / "study"
    shutil.rmtree(study)
    shutil.copytree(prepared.kept, study, copy_function=os.link)
    shutil.rmtree(study / "lock")
    return Path(shutil.copytree(prepared.kept / "lock", study / "lock")).parent


def damage(study: Path, kind: str, how: str) -> None:
    path = sorted(study.glob(KINDS[kind]))[-1]
    if "lock" in kind:
        killed_long_ago(study, path.name[:6], ended=kind == "end of a lock")
    data = DAMAGES[how](path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)


def killed_long_ago(study: Path, number: str, ended: bool) -> None:
    """The lock ``number`` is one that a killed launch left; ``ended``: it had ended before that."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    path = study / f"lock/{number}.json"
    beat, then = study / f"lock/{number}.beat", time.time() - 1000
    path.write_bytes(seal({**unseal(path.read_bytes(), path), "pid": process.pid, "time": then}))
    beat.write_bytes(b"%f" % then)
    for file in (path, beat):
        os.utime(file, (then, then))
    if ended:
        (study / f"lock/{number}.free").write_bytes(b"ended")
    else:
        (study / f"lock/{number}.free").unlink()


ALL = bool(os.environ.get("FACEGRID_TEST_REPORTS"))  # every case draws the page, as ``make chaos`` asks for
DRAWN = (  # kinds whose cases draw the page
    "page", "history", "timing", "marker of a training", "metrics", "scores", "maps", "manifest of an explanation",
    "images of an explanation",
)  # fmt: skip


@pytest.mark.parametrize("how", [*slow(["half", "empty", "absent"]), "flipped"])
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_healed_and_no_number_changes(
    kind: str,
    how: str,
    prepared: Prepared,
    study: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_report: None,
) -> None:
    if kind not in DRAWN and not ALL:
        monkeypatch.setattr("grid.report.build.build", execution.build)  # by ``no_report``
    if kind == "crops":  # so that somebody reads them
        for stage in Study(study).record["stages"]:
            if stage["stage"] in ("train", "evaluate", "explain"):
                Ledger(study / "store").void(stage["stage"], stage["id"], "for the test")
    damage(study, kind, how)
    code, said = here_any(study.parent, "plan", "grid.yaml")
    assert code == 0, said
    for look in (("status", study, "--json"), ("report", study)):
        code, said = here_any(study.parent, *look)
        assert code in (0, 2), said
        assert "Traceback" not in said
        if code == 2:
            assert len(said.strip().splitlines()) == 1, said
            assert "launch" in said or "sync" in said, f"it says no remedy: {said}"
        elif look[0] == "status":
            (cell,) = json.loads(said[said.index("{") :])["cells"]
            known = json.loads(json.dumps(prepared.metrics))
            for protocol, facts in cell["metrics"].items():
                assert facts["auc"] == known[protocol]["auc"]["value"]
    code, said = here_any(study.parent, "launch", "grid.yaml")
    assert code == 0, said
    assert "Traceback" not in said
    assert contents(study) == prepared.contents
    assert metrics(study) == prepared.metrics
    code, said = here_any(study.parent, "launch", "grid.yaml")
    assert (code, "0 stages to run" in said) == (0, True), said

"""A kind of stage and an evaluation task of a user's own, each in one file outside the source tree, in a launch."""

import csv
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launching import GRIDS, ROOT, Store, cells, facegrid, grid, here, runs

pytestmark = pytest.mark.timeout(900)
STUDY = Path("studies", "tiny")
NORMS = '''
"""How long embeddings are before they are normalized."""

import json
from typing import Literal

import numpy as np

from configs.staging import StageConfig
from grid.stages.context import Result, faces_of


class NormsConfig(StageConfig):
    name: Literal["lab.norms"] = "lab.norms"
    images: int = 8


def run(config, context):
    import torch

    from grid.stages.explain import tensors
    from grid.stages.train import load_network

    training, settings = config["training"], config["settings"]
    faces = faces_of(context, training.data, training.detector, training.input.pixels)
    network = load_network(context, training, context.inputs["train"].facts["classes"])
    crops = np.stack([faces.crops[row] for row in range(settings.images)])
    with torch.inference_mode():
        norms = network.embed(tensors(crops, context.device)).norm(dim=1).numpy()
    np.save(context.attempt.path / "norms.npy", norms)
    result = {"mean norm": {"value": float(norms.mean()), "low": float(norms.min()), "high": float(norms.max())}}
    (context.attempt.path / "result.json").write_text(json.dumps(result))
    return Result({"images": len(norms)}, ("norms.npy", "result.json"))
'''
GAIN = '''
"""How much longer the embeddings of more images are: two inputs of one kind."""

import json
from typing import Literal

from configs.staging import StageConfig
from grid.spec.stage_kind import StageKind, StageName
from grid.stages.context import Result


class GainConfig(StageConfig):
    name: Literal["lab.gain"] = "lab.gain"


class Kind(StageKind):
    order = 110

    def plan(self, graph):
        few, more = graph.of("lab.norms")
        identity = {"few": few.id, "more": more.id}
        graph.add(StageName(self.name), identity, {"settings": GainConfig()}, {"few": few, "more": more})

    def tags(self, stage):
        return {("lab", "gain"): "computed"}


def run(config, context):
    few, more = (context.ledger.json(context.inputs[name], "result.json")["mean norm"]["value"] for name in ("few", "more"))
    (context.attempt.path / "result.json").write_text(json.dumps({"gain": {"value": more / few}}))
    return Result({"gain": more / few}, ("result.json",))
'''
NEAREST = '''
"""Is the nearest other image of the same identity?"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from configs.component import digest
from configs.lookup import component
from datamodules.evaluation_sets.tasks import TaskConfig
from grid.evaluation.evaluator import EvaluationResult
from grid.evaluation.task import EvaluationTask
from grid.spec.measure import Measure


class NearestConfig(TaskConfig):
    name: Literal["lab.nearest"] = "lab.nearest"
    task: ClassVar[str] = "lab.nearest"
    data: component("data")

    def dataset(self):
        return self.data

    def asked(self, manifest):
        return Asked(np.arange(len(manifest.keys)), np.array(manifest.identities))


@dataclass(frozen=True)
class Asked:
    rows: Any
    identities: Any

    @property
    def digest(self):
        return digest([self.rows.tolist(), self.identities.tolist()])


class Task(EvaluationTask):
    def measures(self, found):
        return [Measure("nearest", "Nearest is a mate")]


def rows(asked):
    return asked.rows


def evaluate(asked, seen, protocol):
    who = asked.identities[np.isin(asked.rows, seen.rows)]
    scores = seen.units @ seen.units.T
    np.fill_diagonal(scores, -np.inf)
    share = float((who[scores.argmax(1)] == who).mean())
    return EvaluationResult({"nearest": {"value": share}}, {"nearest": share})
'''


def own(tree: dict[str, Any]) -> None:
    tree["axes"] = {"head": {"narrow": {"head.dimension": 8}, "wide": {"head.dimension": 16}}}
    tree["skip"], tree["explainers"] = [], []
    tree["base"]["recipe"]["epochs"] = 1
    data = {"name": "drawn", "first": 900, "subjects": 6, "shots": 3, "size": 64}
    tree["protocols"] = [*tree["protocols"], {"name": "lab.nearest", "data": data}]
    tree["launch"] = {"executor": "local"}
    tree["stages"] = [{"name": "lab.norms", "images": 4}, {"name": "lab.norms", "label": "more", "images": 8}, "lab.gain"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "lab").mkdir()
    for name, text in {"__init__": "", "norms": NORMS, "gain": GAIN, "nearest": NEAREST}.items():
        (folder / "lab" / f"{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        here(folder, "launch", grid(folder / "tiny.yaml", own))
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "lab"]:
        del sys.modules[name]


def elsewhere(folder: Path, *arguments: object) -> str:
    """A command in a process of its own, which has not imported what a test is about to change."""
    return facegrid(folder, *arguments, PYTHONPATH=os.pathsep.join(map(str, (GRIDS, ROOT, folder))))


def values(folder: Path, label: str, kind: str, file: str) -> list[dict[str, Any]]:
    """That file of each cell."""
    ledger = Store(folder / STUDY / "store").ledger
    markers = [ledger.marker(kind, cell["stages"][label]) for cell in cells(folder / STUDY)]
    return [ledger.json(marker, file) for marker in markers if marker]


def test_every_cell_has_the_stage_and_the_evaluation(folder: Path) -> None:
    norms = values(folder, "lab.norms", "lab.norms", "result.json")
    more = values(folder, "lab.norms:more", "lab.norms", "result.json")
    nearest = values(folder, "evaluate:lab.nearest", "evaluate", "metrics.json")
    assert len(norms) == len(more) == len(nearest) == 2
    assert all(0 < one["mean norm"]["low"] <= one["mean norm"]["value"] for one in norms)
    assert norms != more
    assert all(one["task"] == "lab.nearest" and 0 <= one["nearest"]["value"] <= 1 for one in nearest)


def test_their_numbers_stand_in_the_table_of_the_report(folder: Path) -> None:
    with open(folder / STUDY / "report" / "table.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for heading, kind, metrics in (
        ("lab.norms", "lab.norms", "result.json"),
        ("lab.norms:more", "lab.norms", "result.json"),
        ("evaluate:lab.nearest", "evaluate", "metrics.json"),
    ):
        key = "nearest" if kind == "evaluate" else "mean norm"
        wanted = [one[key]["value"] for one in values(folder, heading, kind, metrics)]
        found = [float(row[f"{heading.removeprefix('evaluate:')}:{key}"]) for row in rows]
        assert found == pytest.approx(wanted)
    assert "mean norm" in (folder / STUDY / "report" / "index.html").read_text()


def test_their_numbers_and_files_are_in_mlflow(folder: Path) -> None:
    found = runs(folder / STUDY)
    for cell, norms, nearest in zip(
        cells(folder / STUDY),
        values(folder, "lab.norms", "lab.norms", "result.json"),
        values(folder, "evaluate:lab.nearest", "evaluate", "metrics.json"),
        strict=True,
    ):
        (run,) = found[cell["id"]]
        assert run.data.metrics["lab.norms/mean norm"] == norms["mean norm"]["value"]
        assert run.data.metrics["lab.nearest/nearest"] == nearest["nearest"]["value"]


def test_two_inputs_of_one_kind_have_names(folder: Path) -> None:
    few, more = (values(folder, label, "lab.norms", "result.json") for label in ("lab.norms", "lab.norms:more"))
    for one, other, gain in zip(few, more, values(folder, "lab.gain", "lab.gain", "result.json"), strict=True):
        assert gain["gain"]["value"] == other["mean norm"]["value"] / one["mean norm"]["value"]


def test_they_are_columns_of_the_view_in_mlflow_and_have_tags(folder: Path) -> None:
    from grid.tracking.uri import connect, default_tracking

    client = connect(default_tracking(folder / STUDY))
    (tags,) = [one.tags for one in client.search_experiments() if "facegrid.study_id" in one.tags]
    columns = json.loads(tags["mlflow.sharedViewState.facegrid"])["selectedColumns"]
    for name in ("lab.norms/mean norm", "lab.norms/more/mean norm", "lab.gain/gain", "lab.nearest/nearest"):
        assert f"metrics.`{name}`" in columns
    for (run,) in runs(folder / STUDY).values():
        assert run.data.tags["facegrid.lab.gain"] == "computed"


def test_they_are_in_the_long_table_and_in_the_status(folder: Path) -> None:
    from grid.results.results import results

    norms, more = (values(folder, label, "lab.norms", "result.json") for label in ("lab.norms", "lab.norms:more"))
    found = results(folder / STUDY)
    for protocol, wanted in ((None, norms), ("more", more)):
        lines = found.where(stage="lab.norms", metric="mean norm", protocol=protocol).rows
        assert [line.value for line in lines] == [one["mean norm"]["value"] for one in wanted]
    said = here(folder, "status", STUDY, "--json")
    for cell in json.loads(said[said.index("{") :])["cells"]:
        assert cell["metrics"]["lab.norms"] == {"images": 4}
        assert set(cell["metrics"]) >= {"lab.norms:more", "lab.gain", "lab.nearest"}


def test_launched_again_nothing_runs_and_other_code_makes_the_stage_stale_alone(folder: Path) -> None:
    assert "0 stages" in here(folder, "launch", folder / "tiny.yaml")
    path = folder / "lab" / "norms.py"
    path.write_text(path.read_text().replace('"""How long', '"""So long'))
    said = elsewhere(folder, "plan", folder / "tiny.yaml", "--json")
    assert {stage["state"] for stage in json.loads(said[said.index("{") :])["stages"]} == {"done"}
    path.write_text(path.read_text().replace("norm(dim=1)", "norm(dim=1, p=1)"))
    said = elsewhere(folder, "plan", folder / "tiny.yaml", "--json")
    stages = json.loads(said[said.index("{") :])["stages"]
    assert {stage["stage"] for stage in stages if stage["state"] == "stale"} == {"lab.norms"}

"""An evaluation task is a file: built-in ones are found by name, a user's own by its dotted path."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from configs.contract import ContractError
from datamodules.evaluation_sets.pairs import Pairs
from grid.evaluation.evaluator import EvaluationResult
from grid.evaluation.task import PACKAGE, evaluation_task
from grid.plan.plan import make_plan
from grid.spec.grid_file import BadInput, Grid
from grid.spec.measure import Measure

TASK = """
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
import numpy as np
from configs.component import digest
from configs.lookup import component
from datamodules.evaluation_sets.tasks import TaskConfig
from grid.evaluation.evaluator import EvaluationResult

class Config(TaskConfig):
    name: Literal["toy_tasks.{name}"] = "toy_tasks.{name}"
    task: ClassVar[str] = "toy_tasks.{task}"
    data: component("data")

    def dataset(self):
        return self.data

    def asked(self, manifest):
        return Asked(np.arange(len(manifest.keys)))

@dataclass(frozen=True)
class Asked:
    rows: Any

    @property
    def digest(self):
        return digest(self.rows.tolist())
"""
FUNCTIONS = """

def rows(asked):
    return asked.rows

def evaluate(asked, seen, protocol):
    return EvaluationResult({"share": {"value": 1.0}}, {})
"""
DATA = {"name": "drawn", "first": 900, "subjects": 3, "shots": 2}


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("packages") / "toy_tasks"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "whole.py").write_text(TASK.replace("{name}", "whole").replace("{task}", "whole") + FUNCTIONS)
    (folder / "silent.py").write_text(TASK.replace("{name}", "silent").replace("{task}", "silent"))
    (folder / "astray.py").write_text(TASK.replace("{name}", "astray").replace("{task}", "absent"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        importlib.invalidate_caches()
        yield folder


def test_every_file_of_the_folder_is_a_task_and_one_compares_pairs_of_images() -> None:
    import pkgutil

    shared = ("attribute_cohorts", "attribute_figures", "cluster_faces", "evaluator", "task")  # what tasks are made of
    found = pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__)
    names = [one.name for one in found if one.name not in shared]
    assert [name for name in names if evaluation_task(name).pairs] == ["verification"]
    assert [name for name in names if evaluation_task(name).fixed] == ["templates"]
    questions = {name: evaluation_task(name).question for name in names}
    for name in ("all_pairs", "distractors"):
        assert questions.pop(name) == questions["clustering"], "all of them look at every image of a protocol"
    assert len(set(questions.values())) == len(questions) == 5
    assert [name for name in names if evaluation_task(name).predicts] == ["attributes"]


def test_a_quick_look_has_pairs_of_both_kinds_from_all_folds() -> None:
    count = 200
    pairs = Pairs(np.arange(count), np.arange(count) + 1, np.arange(count) % 2 == 0, np.arange(count) // 50)
    few = evaluation_task("verification").sample(pairs, 40)
    assert 40 <= len(few.same) <= 44
    assert few.same.sum() * 2 == len(few.same)
    assert set(few.fold) == {0, 1, 2, 3}
    assert evaluation_task("clustering").sample(None, 40) is None


def test_a_protocol_names_a_task_of_a_users_own(make: Callable[..., Grid]) -> None:
    plan = make_plan(make(protocols=[{"name": "toy_tasks.whole", "data": DATA}], explainers=[]))
    assert {stage.label for stage in plan.stages if stage.stage == "evaluate"} == {"evaluate:toy_tasks.whole"}
    assert all(cell.id for cell in plan.cells)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("silent", "evaluation task 'toy_tasks.silent': the module has no function rows and no function evaluate"),
        ("astray", "evaluation task 'toy_tasks.absent': there is no module toy_tasks.absent in the package toy_tasks"),
    ],
)
def test_what_is_no_task_is_refused_at_the_plan(make: Callable[..., Grid], name: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        make_plan(make(protocols=[{"name": f"toy_tasks.{name}", "data": DATA}]))
    assert said in str(error.value)


def test_subjects_that_were_trained_on_are_left_out_of_a_users_own_task_too(make: Callable[..., Grid]) -> None:
    same: dict[str, Any] = {"name": "drawn", "subjects": 6, "shots": 4}  # the first four are trained on
    with pytest.raises(BadInput, match="4 of its subjects are in the training set; `overlap: drop`"):
        make_plan(make(protocols=[{"name": "toy_tasks.whole", "data": same}], explainers=[]))
    plan = make_plan(make(protocols=[{"name": "toy_tasks.whole", "data": same, "overlap": "drop"}], explainers=[]))
    assert all(cell.id for cell in plan.cells)


def test_rows_of_a_subset_become_rows_of_the_whole_manifest() -> None:
    from datamodules.evaluation_sets.templates import Clustering

    asked = Clustering(np.array([0, 2, 3]), np.array([0, 0, 1]))
    placed = evaluation_task("clustering").placed(asked, np.array([1, 4, 6, 9]))
    assert placed.rows.tolist() == [1, 6, 9]
    assert placed.labels.tolist() == [0, 0, 1]


ROWS = np.arange(4)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "rows returned None; expected a numpy array of integers"),
        ([0, 1], "rows returned a list of length 2"),
        (ROWS * 1.0, r"rows returned ndarray float64 \(4,\)"),
        (ROWS[:0], r"rows returned ndarray int64 \(0,\)"),
        (ROWS[::-1].copy(), "expected rows of the manifest in ascending order"),
        (np.array([1, 1, 2]), "expected rows of the manifest in ascending order"),
        (ROWS - 1, "expected rows of the manifest in ascending order"),
    ],
)
def test_wrong_rows_name_the_task(found: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = evaluation_task("toy_tasks.whole")
    monkeypatch.setattr(importlib.import_module("toy_tasks.whole"), "rows", lambda asked: found)
    with pytest.raises(ContractError, match=f"^evaluation task 'toy_tasks.whole': .*{said}"):
        task.rows(None)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "evaluate returned None; expected an EvaluationResult"),
        (({"a": 1}, {}), "evaluate returned a tuple of length 2"),
        (EvaluationResult(None, {}), "EvaluationResult.metrics is None; expected a dict of JSON values"),  # type: ignore[arg-type]
        (EvaluationResult({}, {"a": np.float64(1), "b": np.int64(1)}), "EvaluationResult.facts is a dict with the keys a, b"),
        (EvaluationResult({"a": {"value": "x"}}, {}), "the value of the metric 'a' is 'x'; expected a number"),
        (EvaluationResult({}, {}, "a.npy"), "EvaluationResult.outputs is 'a.npy'"),  # type: ignore[arg-type]
        (EvaluationResult({}, {}, ("a.npy",)), "EvaluationResult.outputs names 'a.npy'; expected a file that evaluate wrote"),
    ],
)
def test_a_wrong_evaluation_names_the_task(found: Any, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    task = evaluation_task("toy_tasks.whole")
    monkeypatch.setattr(importlib.import_module("toy_tasks.whole"), "evaluate", lambda *_: found)
    with pytest.raises(ContractError) as refused:
        task.evaluate(None, SimpleNamespace(folder=tmp_path), None)
    assert str(refused.value).startswith(f"evaluation task 'toy_tasks.whole': {said}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "metrics", "said"),
    [
        ("near", {"nearest": {"value": 0.5}}, "measures returned the key 'near'; expected one of the metrics: nearest"),
        (
            "near",
            {"nearest": {"share": 0.5}},
            "EvaluationResult.metrics is a dict with the keys nearest; expected a metric such as",
        ),
    ],
)
def test_a_task_with_nothing_to_show_is_refused(
    key: str, metrics: Any, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its columns would be dashes, without a word."""
    task = evaluation_task("toy_tasks.whole")
    monkeypatch.setattr(importlib.import_module("toy_tasks.whole"), "evaluate", lambda *_: EvaluationResult(metrics))
    monkeypatch.setattr(task, "measures", lambda found: [Measure(key, "Nearest")])
    with pytest.raises(ContractError, match=f"^evaluation task 'toy_tasks.whole': {said}"):
        task.evaluate(None, SimpleNamespace(folder=tmp_path), None)


def test_headline_numbers_are_the_metrics_unless_they_are_given() -> None:
    metrics = {"task": "mylab.a", "share": {"value": 0.5, "low": 0.4}, "ranks": {"1": {"value": 0.1}}}
    assert EvaluationResult(metrics).facts == {"share": 0.5}
    assert EvaluationResult(metrics, {"own": 1}).facts == {"own": 1}


def test_what_a_right_task_returns_is_returned() -> None:
    task = evaluation_task("toy_tasks.whole")
    assert task.rows(SimpleNamespace(rows=ROWS)) is ROWS
    assert task.evaluate(None, SimpleNamespace(folder=Path()), None).metrics == {"share": {"value": 1.0}}

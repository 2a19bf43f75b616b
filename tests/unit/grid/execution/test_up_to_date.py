"""A report and its copy in MLflow are made again if, and only if, something has changed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from invented_study import build_study

from grid.execution.up_to_date import MADE, UpToDate
from grid.ledger.study import Study


class Passes:
    """A launch's last steps: which of them ran, in the order of ``made``."""

    def __init__(self, path: Path) -> None:
        self.path, self.made = path, list[str]()
        self.database = path.parent / "mlflow.db"
        self.meanwhile: Callable[[], object] = lambda: None

    def build(self, study: Study) -> Path:
        self.made.append("report")
        page = study.path / "report/index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"report {len(self.made)}")
        self.meanwhile()
        return page

    def copy(self) -> Sequence[str]:
        self.made.append("mlflow")
        self.database.write_text("runs")
        (self.path / "mlflow.json").write_text("{}")
        return []

    def __call__(self, tracking: str | None = None) -> list[str]:
        self.made = []
        done = UpToDate(Study(self.path), tracking or f"sqlite:///{self.database}")
        assert done.report(self.build) == self.path / "report/index.html"
        assert done.mlflow(self.copy) == []
        return self.made


BOTH = ["report", "mlflow"]


@pytest.fixture
def passes(tmp_path: Path) -> Passes:
    """Of a study whose report and runs are up to date."""
    study = build_study(tmp_path / "one", axes={"backbone": ["alexnet"]}, pairs=20, images=1, explainers=())
    found = Passes(study.path)
    assert found() == BOTH
    return found


def marker(path: Path) -> Path:
    return sorted((path / "store").rglob("done-000.json"))[0]


def test_nothing_is_made_again_while_nothing_changes(passes: Passes) -> None:
    assert passes() == []
    assert passes() == []


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "a result": (lambda path: marker(path).write_bytes(marker(path).read_bytes()), BOTH),
    "the report": (lambda path: (path / "report/index.html").write_text("<p>"), BOTH),
    "a lost report": (lambda path: (path / "report/index.html").unlink(), BOTH),
    "a file in the report's folder": (lambda path: (path / "report/note.txt").write_text("mine"), BOTH),
    "what they were made of": (lambda path: (path / MADE).write_text("{"), BOTH),
    "MLflow's database": (lambda path: (path.parent / "mlflow.db").write_text("others"), ["mlflow"]),
    "a lost database": (lambda path: (path.parent / "mlflow.db").unlink(), ["mlflow"]),
    "a journal of the database": (lambda path: (path.parent / "mlflow.db-journal").write_text("hot"), ["mlflow"]),
    "the record of runs": (lambda path: (path / "mlflow.json").unlink(), ["mlflow"]),
}


@pytest.mark.parametrize(("change", "made"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_change_concerns_is_made_again_once(passes: Passes, change: Callable[[Path], object], made: list[str]) -> None:
    change(passes.path)
    assert passes() == made
    assert passes() == []


def test_a_server_is_always_asked(passes: Passes) -> None:
    assert passes("http://127.0.0.1:5000") == ["mlflow"]
    assert passes("http://127.0.0.1:5000") == ["mlflow"]


def test_another_database_is_filled(passes: Passes) -> None:
    passes.database = passes.path.parent / "other.db"
    assert passes() == ["mlflow"]


def test_what_could_not_be_copied_is_copied_again(passes: Passes) -> None:
    passes.database.unlink()
    again = UpToDate(Study(passes.path), f"sqlite:///{passes.database}")
    assert again.mlflow(lambda: passes.copy() or ["one run: the disk is full"]) == ["one run: the disk is full"]
    assert passes() == ["mlflow"]


def test_a_change_while_the_report_is_made_is_not_lost(passes: Passes) -> None:
    marker(passes.path).touch()
    passes.meanwhile = lambda: marker(passes.path).touch()
    assert passes() == BOTH
    passes.meanwhile = lambda: None
    assert passes() == BOTH
    assert passes() == []

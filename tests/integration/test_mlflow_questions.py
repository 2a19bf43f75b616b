"""Ten everyday questions are answered on MLflow's own pages in three clicks or fewer. The full size is in tests/bench."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chrome import Tab, running
from invented_study import build_study
from mlflow_questions import QUESTIONS, Facts, Question, ask, facts_of, shown_by_the_command

from grid.ledger.study import Study
from grid.report.build import build
from grid.tracking.sync import sync_pass

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]
AXES = {"detection": ["none", "mtcnn"], "loss": ["softmax", "arcface"], "replicate": ["0", "1", "2"]}
FAILED = {"detection": "none", "loss": "arcface", "replicate": "1"}
OPTIONS: dict[str, Any] = {"axes": AXES, "failed": [FAILED], "pairs": 200, "explainers": ()}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = build_study(tmp_path_factory.mktemp("questions") / "faces", **OPTIONS)
    build(made)
    assert sync_pass(made.path, report=True).problems == []
    return made


CHART = re.compile(r"Error: <\w+> attribute ")  # MLflow draws a chart of no size when its page moves under it


@pytest.fixture(scope="module")
def facts(study: Study) -> Facts:
    return facts_of(study)


@pytest.fixture(scope="module")
def address(study: Study) -> Iterator[str]:
    with shown_by_the_command(study) as address:
        yield address


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with running(tmp_path_factory.mktemp("browser")) as browser:
        tab = browser.tab()
        tab.size(1440, 900)
        yield tab


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_answer_is_in_view_after_three_clicks_at_most(tab: Tab, address: str, facts: Facts, question: Question) -> None:
    said = [line for line in ask(tab, address, question, facts) if not CHART.match(line)]
    assert said == [], "errors in the console of the browser"


def test_every_path_has_three_clicks_at_most_and_stands_in_the_docs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "mlflow.md").read_text(encoding="utf-8")
    assert len(QUESTIONS) == 10
    for question in QUESTIONS:
        assert len(question.clicks) <= 3
        assert f"## {question.asks}\n" in page
        assert f"images/{question.name}.webp" in page

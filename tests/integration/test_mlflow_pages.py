"""MLflow's own pages in a real browser: the address of ``facegrid ui`` opens the table with factors and main results."""

from collections.abc import Iterator
from typing import Any

import pytest
from chrome import Tab, running
from invented_study import build_study
from mlflow_questions import shown_by_the_command

from grid.ledger.study import Study
from grid.report.build import build
from grid.tracking.sync import SyncResult, sync_pass
from grid.tracking.uri import connect

pytestmark = pytest.mark.slow

ACCURACY = "lfw view 2/accuracy_ten_fold"
SEEDED: dict[str, Any] = {"axes": {"detection": ["none", "mtcnn"], "replicate": ["0", "1"]}, "pairs": 400, "explainers": ()}
ROWS = """[...document.querySelectorAll('.ag-center-cols-container [role=row]')].map((row) =>
  Object.fromEntries([...row.querySelectorAll('[role=gridcell]')].map((at) => [at.getAttribute('col-id'), at.innerText])))"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SyncResult]:
    made = build_study(tmp_path_factory.mktemp("pages") / "seeded", **SEEDED)
    build(made)
    return made, sync_pass(made.path, report=True)


@pytest.fixture(scope="module")
def address(study: tuple[Study, SyncResult]) -> Iterator[str]:
    with shown_by_the_command(study[0]) as address:
        yield address


@pytest.fixture(scope="module")
def tab(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with running(tmp_path_factory.mktemp("browser")) as browser:
        tab = browser.tab()
        tab.size(2600, 1400)  # the table draws only the columns that are in view
        yield tab


@pytest.fixture(scope="module")
def opened(tab: Tab, address: str) -> Tab:
    tab.go(address)
    tab.until(f"{ROWS}.length > 1 && {ROWS}.every((row) => Object.keys(row).length > 3)", 90)
    return tab


def test_the_page_opens_in_the_mode_of_model_training(opened: Tab) -> None:
    sidebar = opened.js("document.querySelector('aside, nav').parentElement.innerText")
    assert "Model registry" in sidebar
    assert "Judges" not in sidebar, "MLflow's mode for generative AI"


def test_its_rows_are_combinations_of_levels_with_means_over_seeds_and_the_best_is_first(
    opened: Tab, study: tuple[Study, SyncResult]
) -> None:
    client = connect(str(study[1].tracking))
    query = "tags.`facegrid.kind` = 'group'"
    runs = client.search_runs([study[1].experiment_id], query, order_by=[f"metrics.`{ACCURACY}` DESC"])
    assert len(runs) == 2
    rows = opened.js(ROWS)
    assert [row["params.`detection`"] for row in rows] == [run.data.params["detection"] for run in runs]
    for row, run in zip(rows, runs, strict=True):
        for key in (ACCURACY, "lfw view 2 over seeds/accuracy_ten_fold_n"):
            assert float(row[f"metrics.`{key}`"]) == pytest.approx(run.data.metrics[key], abs=1e-9)
    assert "params.`replicate`" not in rows[0]


def test_its_description_leads_to_the_report(opened: Tab, study: tuple[Study, SyncResult]) -> None:
    href = opened.js("[...document.querySelectorAll('a')].find((a) => a.innerText === 'Tables and figures').href")
    assert f"/runs/{study[1].report}/artifacts" in href
    opened.go(href)
    opened.until("document.querySelector('iframe')?.src.startsWith('blob:')", 60)  # MLflow shows the page's content in a frame
    assert "seeded" in opened.js("fetch(document.querySelector('iframe').src).then((found) => found.text())")
    assert "Judges" not in opened.js("document.body.innerText"), "MLflow's mode for generative AI"

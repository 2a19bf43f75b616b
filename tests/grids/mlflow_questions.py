"""Ten everyday questions about a study, and the clicks that answer them on MLflow's own pages.

Every path starts at the page that ``facegrid ui`` opens. docs/mlflow.md lists the same questions.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from chrome import Tab
from loopback import free_port

from grid.ledger.study import Study

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds for a page to show an answer on a busy machine
KNOWN = "Failed to load resource: the server responded with a status of 404 (Not Found)"  # MLflow asks for its own assistant
DRIVER = "GL Driver Message"  # of Chromium without a GPU, on the speed of a chart in WebGL
CLOSE_ASSISTANT = "document.querySelector('[data-component-id=\"mlflow.assistant.chat_panel.close\"]')"
NAMES = ".ag-pinned-left-cols-container"
CHARTS = "document.querySelector('input[value=CHART]')?.closest('label')"
HIDE_PATHS = r"""[...document.querySelectorAll('body *')].filter(e => !e.childElementCount)
    .forEach(e => { e.textContent = e.textContent.replace(/(file:\/\/)?\/\S*\/(mlartifacts|studies|faces)\/\S*/, '...'); })"""
VIEWS = "document.querySelector('[data-testid=saved-views-trigger]')"


@dataclass(frozen=True)
class Facts:
    """What the ledger says, to compare the pages with.

    Attributes:
        ranking: combinations of levels by their mean accuracy over seeds, the best first
        error: of the failed cell
    """

    ranking: list[tuple[Mapping[str, str], float]]
    error: str

    @property
    def names(self) -> list[str]:
        """Of the runs of combinations, in that order."""
        return [" / ".join(levels.values()) for levels, _ in self.ranking]


@dataclass(frozen=True)
class Question:
    """A question, the elements that are clicked one after the other (JavaScript), and where the answer stands.

    Attributes:
        name: of its picture in docs/images
        answer: JavaScript that is true once the answer is shown
        elsewhere: the last click opens another tab
        frame: the answer is in the frame of an artifact
    """

    name: str
    asks: str
    clicks: tuple[str, ...]
    answer: Callable[[Facts], str]
    elsewhere: bool = False
    frame: bool = False


def text(words: str, among: str = "a, button, [role=menuitem], [role=option], li, div") -> str:
    """The visible element with just this text; the innermost one."""
    same = f"e.innerText?.trim() === {json.dumps(words)} && e.offsetParent"
    return f"[...document.querySelectorAll('{among}')].filter(e => {same}).pop()"


def row(number: int, what: str) -> str:
    return f"document.querySelector('{NAMES} [row-index=\"{number}\"] {what}')"


def body(*words: str) -> str:
    """All words are on the page."""
    return f"{json.dumps(words)}.every(word => document.body.innerText.includes(word))"


def seen(*words: str) -> str:
    """All words stand in view, and nothing covers them."""
    return f"""{json.dumps(words)}.every(word => [...document.querySelectorAll('body *')].some(e => {{
        if (e.childElementCount || !e.innerText?.includes(word)) return false;
        const box = e.getBoundingClientRect(), top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return top && (e === top || e.contains(top) || top.contains(e)); }}))"""


def chart(title: str, mark: str) -> str:
    """A chart with this title is in view, and its marks are drawn."""
    return f"""(() => {{ const title = [...document.querySelectorAll('body *')]
        .filter(e => e.textContent.trim() === {json.dumps(title)}).pop(); if (!title) return false;
        const place = title.getBoundingClientRect(); if (place.top < 0 || place.bottom > innerHeight) return false;
        for (let e = title; e; e = e.parentElement) if (e.querySelector({json.dumps(mark)})) return true; return false; }})()"""


def first_row(facts: Facts) -> str:
    """The first row has these levels, and this mean."""
    levels, mean = facts.ranking[0]
    cells = (
        "[...document.querySelectorAll(\".ag-center-cols-container [row-index='0'] [role=gridcell]\")].map(e => e.innerText)"
    )
    return f"""(() => {{ const cells = {cells};
        return cells.some(one => Number(one).toFixed(6) === '{mean:.6f}')
            && {json.dumps(list(levels.values()))}.every(level => cells.includes(level)); }})()"""


REPLICATES = "document.querySelector('.ag-center-cols-container [col-id=\"params.`replicate`\"]')"  # the rows are cells
EVERY_SEED = (VIEWS, text("Every seed"))
FIRST_CELL = f"{REPLICATES} && {row(0, 'a')}"
QUESTIONS = (
    Question("mlflow_best", "Which combination of levels is best?", (), first_row),
    Question(
        "mlflow_interval", "How sure is that, over the seeds?", (row(0, "a"),),
        lambda facts: seen(facts.names[0], f"lfw view 2/accuracy_ten_fold: {100 * facts.ranking[0][1]:.2f} % ["),
    ),
    Question(
        "mlflow_levels", "Which levels make a network good?", (CHARTS,),
        lambda facts: chart("Parallel Coordinates", ".parcoords svg, .parcoords canvas, canvas"),
    ),
    Question(
        "mlflow_better", "Is the best one really better, and which factor matters?", (text("Tables and figures"),),
        lambda facts: body("Which factor matters", "Is A really better"), elsewhere=True, frame=True,
    ),
    Question(
        "mlflow_seeds", "How much do seeds differ?", EVERY_SEED,
        lambda facts: "document.querySelectorAll('.ag-center-cols-container [col-id=\"params.`replicate`\"]').length > 5",
    ),
    Question("mlflow_failed", "What failed, and why?", (VIEWS, text("What failed")), lambda facts: seen(facts.error)),
    Question(
        "mlflow_curves", "Did the trainings converge?", (*EVERY_SEED, f"{REPLICATES} && {CHARTS}"),
        lambda facts: chart("Learning curves/validation_loss", ".js-plotly-plot .xtick"),
    ),
    Question(
        "mlflow_settings", "With which settings and on which data was a cell computed?", (*EVERY_SEED, FIRST_CELL),
        lambda facts: seen("vggface2", "lfw view 2", "epochs", "loss"),
    ),
    Question(
        "mlflow_network", "How good is a network on each dataset, and how do I get it?",
        (text("Models", "a, div"), "document.querySelector('[role=gridcell] a[href*=\"/models/m-\"]')"),
        lambda facts: seen("Ready", "lfw view 2 (#", "facegrid export"),
    ),
    Question(
        "mlflow_difference", "In what do two combinations differ?",
        (row(0, "input[type=checkbox]"), row(1, "input[type=checkbox]"), text("Compare", "button")),
        lambda facts: body("Comparing 2 Runs", "Run details", *facts.names[:2]),
    ),
)  # fmt: skip


def facts_of(study: Study) -> Facts:
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    factors = [axis for axis in study.axes if axis != "replicate"]
    for cell in study.cells:
        if marker := cell.markers.get("evaluate:lfw view 2"):
            value = study.ledger.json(marker, "metrics.json")["ten_fold"]["value"]
            found[tuple(cell.levels[axis] for axis in factors)].append(value)
    means = sorted(((float(np.mean(values)), levels) for levels, values in found.items()), reverse=True)
    (error,) = {str(failure.error) for cell in study.cells for failure in cell.failures.values()}
    return Facts([(dict(zip(factors, levels, strict=True)), mean) for mean, levels in means], error)


@contextmanager
def shown_by_the_command(study: Study) -> Iterator[str]:
    """The address that ``facegrid ui`` prints, while it serves."""
    code = "from grid.ledger.study import Study; from grid.tracking.mlflow_ui import ui; "
    code += f"ui(Study({str(study.path)!r}), port={free_port()}, open=None, say=lambda line: print(line, flush=True))"
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        yield re.findall(r"http://\S+", server.stdout.readline())[0]
        server.send_signal(signal.SIGINT)
        server.wait(60)
    finally:
        server.kill()
        server.wait()


def start(tab: Tab, address: str) -> None:
    """Opens the page; MLflow's assistant, which covers a third of it on the first visit, is closed once."""
    tab.go("about:blank")
    tab.until("location.href === 'about:blank'")
    tab.said.clear()
    tab.go(address)
    tab.until("document.querySelectorAll('.ag-center-cols-container [role=gridcell]').length > 9", PATIENCE)
    if tab.js(f"!!{CLOSE_ASSISTANT}"):
        tab.click(CLOSE_ASSISTANT)
        tab.until(f"!{CLOSE_ASSISTANT}")


def ask(tab: Tab, address: str, question: Question, facts: Facts, picture: Path | None = None) -> list[str]:
    """Follows the path of a question until its answer is shown; the errors of the console, less MLflow's known one."""
    start(tab, address)
    for number, element in enumerate(question.clicks):
        if question.elsewhere and number == len(question.clicks) - 1:
            width, height = tab.js("[innerWidth, innerHeight]")
            tab = tab.click_through(element, PATIENCE)
            tab.size(width, height)
        else:
            tab.click(element, PATIENCE)
    answer = question.answer(facts)
    (tab.until_in_frame if question.frame else tab.until)(answer, PATIENCE)
    if picture is not None:
        time.sleep(2)  # for pictures only: MLflow's charts grow when they appear
        tab.js(HIDE_PATHS)
        tab.screenshot(picture)
    said = [line for line in tab.said if line != KNOWN and DRIVER not in line]
    if question.elsewhere:
        tab.close()
    return said

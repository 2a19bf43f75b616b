"""axe-core finds no serious violation of accessibility on the report pages, in both color schemes and at both widths."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import axe_core, violations
from chrome import Tab, running
from human_studies import bundle
from invented_study import build_study

from grid.human_study.answers import Answers
from grid.human_study.report import write_report
from grid.report.build import build

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    return axe_core(tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study in which everything that can happen to a cell has happened."""
    return build(
        build_study(
            tmp_path_factory.mktemp("studies") / "ito2021",
            failed=[{"backbone": "alexnet", "detection": "mtcnn", "pretraining": "imagenet"}],
            skipped=[{"backbone": "efficientnet_b1", "detection": "none", "pretraining": "imagenet"}],
            unfinished=[{"backbone": "resnet34", "detection": "none", "pretraining": "none"}],
            explainers=("gradcam", "gbp", "reconstruction"),
        )
    )


@pytest.fixture(scope="module")
def human_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study that simulated people answered."""
    folder = tmp_path_factory.mktemp("people")
    design = bundle(folder, pairs=6)
    answers = Answers(folder, design)
    for one in [answers.participant(answers.join()) for _ in range(4)]:
        assert one is not None
        for number in (1, 2):
            for pair in one.orders[number - 1]:
                answers.store(one, number, pair, 2, 800)
    answers.close()
    return write_report(folder, folder / "report")[1]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with running(tmp_path_factory.mktemp("browser")) as browser:
        yield browser.tab()


def show(tab: Tab, page: Path, scheme: str, width: int) -> None:
    tab.size(width, 1200)
    tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.go(page.as_uri())
    tab.until("document.readyState === 'complete' && document.querySelector('main')")
    for number in range(tab.js("document.querySelectorAll('figure.chart').length")):  # charts are made when they are near
        chart = f"document.querySelectorAll('figure.chart')[{number}]"
        tab.until(f"({chart}.scrollIntoView({{ behavior: 'instant' }}), {chart}.dataset.drawn)")
    tab.js("scrollTo(0, 0)")


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_has_no_serious_violation(script: str, page: Path, tab: Tab, scheme: str, width: int) -> None:
    show(tab, page, scheme, width)
    assert tab.js("matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    assert tab.js("document.querySelectorAll('figure.chart[data-drawn] .legend button').length") > 30
    tab.js("document.querySelector('.filter').open = true; document.querySelector('figure.chart .legend li button').click()")
    assert violations(tab, script) == {}
    assert tab.said == []


@pytest.mark.parametrize("width", [1440, 390])
def test_the_report_of_a_human_study_has_no_serious_violation(script: str, human_study: Path, tab: Tab, width: int) -> None:
    show(tab, human_study, "light", width)
    assert tab.js("document.querySelector('.scroll').scrollWidth > document.querySelector('.scroll').clientWidth") is (
        width < 500
    )
    assert violations(tab, script) == {}


def test_a_page_with_violations_would_be_caught(script: str, page: Path, tab: Tab, tmp_path: Path) -> None:
    """The control of the test above."""
    worse = tmp_path / "worse.html"
    text = page.read_text().replace('<div class="scroll" tabindex="0">', '<div class="scroll">')
    worse.write_text(text.replace("</main>", '<img src="data:,"><p style="color: #999; background: #fff">pale</p></main>'))
    show(tab, worse, "light", 390)
    assert {"image-alt", "color-contrast", "scrollable-region-focusable"} <= set(violations(tab, script))

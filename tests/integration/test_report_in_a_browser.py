"""The report page in a real browser: it draws, sorts and switches without the network and without a complaint."""

import html
import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from grid.report.build import build
from grid.study import Study

HERE = Path(__file__).resolve().parent
PROBE = """
<script>
addEventListener("load", () => {
  const all = (query) => [...document.querySelectorAll(query)];
  const found = {}, order = () => all("table.main tbody tr").map((row) => Number(row.dataset.row));
  found.plan = order();
  const button = (key) => document.querySelector(`th[data-key="lfw view 2|${key}"] button`);
  button("eer").click();
  found.eer = order();
  found.sort = button("eer").closest("th").getAttribute("aria-sort");
  button("oracle").click();
  found.oracle = order();
  button("oracle").click();
  found.reversed = order();
  const figure = document.querySelector("figure.roc");
  const shown = (kind) => getComputedStyle(figure.querySelector("g." + kind)).display;
  found.log = [shown("log"), shown("linear")];
  document.querySelector("input[value=linear]").click();
  found.linear = [shown("log"), shown("linear")];
  document.querySelector(".legend tr[data-row]").dispatchEvent(new MouseEvent("mouseenter"));
  found.hot = all(".linear .curve.hot").length;
  const plot = document.querySelector("svg.plot"), box = plot.getBoundingClientRect();
  const move = { clientX: box.left + box.width * 0.5, clientY: box.top + 60 };
  plot.dispatchEvent(new MouseEvent("mousemove", move));
  found.read = document.querySelector(".read").textContent;
  found.tar = all(".legend td[data-auc]").map((cell) => parseFloat(cell.textContent));
  found.pictures = all("img").map((image) => image.naturalWidth);
  found.wide = document.documentElement.scrollWidth <= innerWidth;
  found.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  found.paper = getComputedStyle(document.body).backgroundColor;
  found.fetched = performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 5));
  const note = document.createElement("pre");
  note.id = "probe";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "no chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study in which everything that can happen to a cell has happened."""
    spec = importlib.util.spec_from_file_location("studies", HERE.parent / "unit" / "grid" / "conftest.py")
    assert spec
    assert spec.loader
    studies = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(studies)
    study: Study = studies.build_study(
        tmp_path_factory.mktemp("studies") / "ito2021",
        failed=[{"backbone": "alexnet", "detection": "mtcnn", "pretraining": "imagenet"}],
        skipped=[{"backbone": "efficientnet_b1", "detection": "none", "pretraining": "imagenet"}],
        unfinished=[{"backbone": "resnet34", "detection": "none", "pretraining": "none"}],
        pairs=600,
    )
    return build(study)


def visit(browser: str, page: Path, folder: Path, *options: str) -> tuple[dict, str]:
    """(what the probe found, what the console said)."""
    probed = folder / "probed.html"
    probed.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,2400", "--enable-logging=stderr", "--virtual-time-budget=4000", *options,
        "--dump-dom", probed.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    noted = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert noted, done.stdout[-500:] + done.stderr[-2000:]
    said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(noted[1])), said


def test_the_page_draws_sorts_and_switches_without_a_complaint(browser: str, page: Path, tmp_path: Path) -> None:
    found, said = visit(browser, page, tmp_path)
    assert said == ""
    cells = json.loads((page.parent / "report.json").read_text())["cells"]
    done = [n for n, cell in enumerate(cells) if cell["metrics"]]
    rest = [n for n in range(len(cells)) if n not in done]

    def ranked(key: str, sign: int) -> list[int]:
        return sorted(done, key=lambda n: (sign * cells[n]["metrics"]["lfw view 2"][key]["value"], n)) + rest

    assert found["plan"] == list(range(12))
    assert found["eer"] == ranked("eer", 1)
    assert found["sort"] == "ascending"
    assert found["oracle"] == ranked("oracle", -1)
    assert found["reversed"] == ranked("oracle", 1)
    assert found["log"] == ["inline", "none"]
    assert found["linear"] == ["none", "inline"]
    assert found["hot"] == 1
    assert re.fullmatch(r"TAR at FAR \d+ %", found["read"])
    assert len(found["tar"]) == len(done)
    assert all(50 < tar <= 100 for tar in found["tar"])
    assert found["pictures"]
    assert set(found["pictures"]) == {112}
    assert found["wide"], "the page scrolls sideways"
    assert set(found["fetched"]) <= {"data:"}


def test_a_page_that_asked_for_something_outside_would_be_caught(browser: str, page: Path, tmp_path: Path) -> None:
    """The control of the test above: the browser refuses and complains, whatever host it is."""
    asking = tmp_path / "asking.html"
    asking.write_text(page.read_text().replace("</main>", '<img src="https://fonts.example.org/x.png"></main>'))
    _, said = visit(browser, asking, tmp_path)
    assert "fonts.example.org" in said


def test_the_page_is_dark_where_the_system_is(browser: str, page: Path, tmp_path: Path) -> None:
    (tmp_path / "light").mkdir()
    (tmp_path / "dark").mkdir()
    light, _ = visit(browser, page, tmp_path / "light", "--blink-settings=preferredColorScheme=1")
    dark, said = visit(browser, page, tmp_path / "dark", "--blink-settings=preferredColorScheme=0")
    assert said == ""
    assert (light["dark"], dark["dark"]) == (False, True)
    assert light["paper"] != dark["paper"]


def test_the_page_prints(browser: str, page: Path, tmp_path: Path) -> None:
    made = tmp_path / "page.pdf"
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-pdf-header-footer",
        f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={made}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert made.read_bytes().startswith(b"%PDF")

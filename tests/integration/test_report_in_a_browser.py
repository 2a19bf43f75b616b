"""The report page in a real browser: it draws and sorts without the network and without a complaint."""

import html
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from chrome import chromium
from invented_study import build_study

from grid.ledger.study import Study
from grid.report.build import build

PROBE = """
<script>
addEventListener("load", () => {
  const all = (query) => [...document.querySelectorAll(query)];
  const found = {}, order = () => all("#table tbody tr[data-row]").map((row) => Number(row.dataset.row));
  found.plan = order();
  const button = (key) => document.querySelector(`th[data-key="lfw view 2|${key}"] button`);
  button("eer").click();
  found.eer = order();
  found.sort = button("eer").closest("th").getAttribute("aria-sort");
  button("best_threshold").click();
  found.best_threshold = order();
  button("best_threshold").click();
  found.reversed = order();
  found.images = all(".sheet img").map((image) => image.naturalWidth);
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


CLOSER = """
<script>
addEventListener("load", async () => {
  const found = {}, view = document.querySelector("#view .view"), one = (query) => view.querySelector(query);
  const settled = async () => {
    while (!view.dataset.drawn) await new Promise((go) => setTimeout(go, 300));
  };
  const choose = async (list, wanted) => {
    for (const box of view.querySelectorAll(`[data-list=${list}] input`)) {
      if (box.checked !== wanted.includes(Number(box.value))) box.click();
    }
    await settled();
  };
  const set = async (name, value) => {
    one(`[data-set=${name}]`).value = value;
    one(`[data-set=${name}]`).dispatchEvent(new Event("input"));
    await settled();
  };
  const heads = () => [...view.querySelectorAll("thead th")].slice(1).map((head) => head.querySelector("b").textContent);
  const color = (number = 0) => {
    const canvas = view.querySelectorAll("canvas")[number], { width, height } = canvas;
    return [...canvas.getContext("2d").getImageData(0, 0, width, height).data].reduce((sum, byte) => sum + byte, 0);
  };
  const ends = () => [...view.querySelectorAll("thead .ends")].map((box) => box.lastChild.textContent);
  await settled();
  found.first = heads();
  await choose("cells", [1, 8]);
  await choose("methods", [2, 4]);
  await choose("images", [4, 6]);
  found.heads = heads();
  found.images = view.querySelectorAll("canvas").length;
  found.row = ends();
  const strong = color();
  await set("opacity", 0);
  const bare = color();
  await set("opacity", 75);
  found.slider = [strong !== bare, color() === strong];
  await set("smooth", "0");
  found.nearest = color() !== strong;
  await set("scale", "all");
  found.all = ends();
  await set("size", 240);
  const canvas = one("canvas"), box = canvas.getBoundingClientRect();
  found.size = [canvas.width, canvas.height];
  const at = { clientX: box.left + box.width * 0.26, clientY: box.top + box.height * 0.76 };
  canvas.dispatchEvent(new PointerEvent("pointermove", at));
  found.spot = one(".spot").textContent;
  found.values = [...view.querySelectorAll(".pic + .value")].map((value) => value.textContent.trim());
  const key = (name) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name }));
  key("ArrowLeft");
  key("ArrowDown");
  found.keys = one(".spot").textContent;
  await choose("methods", [1]);
  found.gaps = [...view.querySelectorAll("tbody tr:first-of-type .gap")].map((gap) => gap.textContent);
  found.hash = location.hash;
  found.wide = document.documentElement.scrollWidth <= innerWidth;
  const note = document.createElement("pre");
  note.id = "probe";
  note.textContent = JSON.stringify(found);
  document.body.append(note);
});
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    return chromium()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study in which everything that can happen to a cell has happened."""
    study = build_study(
        tmp_path_factory.mktemp("studies") / "ito2021",
        failed=[{"backbone": "alexnet", "detection": "mtcnn", "pretraining": "imagenet"}],
        skipped=[{"backbone": "efficientnet_b1", "detection": "none", "pretraining": "imagenet"}],
        unfinished=[{"backbone": "resnet34", "detection": "none", "pretraining": "none"}],
        pairs=600,
        explainers=("gradcam", "gbp", "reconstruction"),
    )
    return build(study)


def visit(browser: str, page: Path, folder: Path, *options: str, probe: str = PROBE, at: str = "") -> tuple[dict, str]:
    """(what the probe found, what the console said)."""
    probed = folder / "probed.html"
    probed.write_text(page.read_text().replace("</body>", probe + "</body>"))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,2400", "--enable-logging=stderr", "--virtual-time-budget=200000", *options,
        "--dump-dom", probed.as_uri() + at,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    noted = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert noted, done.stdout[-500:] + done.stderr[-2000:]
    said = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(noted[1])), said


@pytest.fixture(scope="module")
def visited(browser: str, page: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    return visit(browser, page, tmp_path_factory.mktemp("visited"), "--blink-settings=preferredColorScheme=1")


def test_the_page_draws_and_sorts_without_a_complaint(visited: tuple[dict, str], page: Path) -> None:
    found, said = visited
    assert said == ""
    cells = json.loads((page.parent / "report.json").read_text())["cells"]
    done = [n for n, cell in enumerate(cells) if cell["metrics"]]
    rest = [n for n in range(len(cells)) if n not in done]

    def ranked(key: str, sign: int) -> list[int]:
        return sorted(done, key=lambda n: (sign * cells[n]["metrics"]["lfw view 2"][key]["value"], n)) + rest

    assert found["plan"] == list(range(12))
    assert found["eer"] == ranked("eer", 1)
    assert found["sort"] == "ascending"
    assert found["best_threshold"] == ranked("best_threshold", -1)
    assert found["reversed"] == ranked("best_threshold", 1)
    assert found["images"]
    assert set(found["images"]) == {112}
    assert found["wide"], "the page scrolls sideways"
    assert set(found["fetched"]) <= {"data:"}


def test_a_page_that_asked_for_something_outside_would_be_caught(browser: str, page: Path, tmp_path: Path) -> None:
    """The control of the test above: the browser refuses and complains, whatever host it is."""
    asking = tmp_path / "asking.html"
    asking.write_text(page.read_text().replace("</main>", '<img src="https://fonts.example.org/x.png"></main>'))
    _, said = visit(browser, asking, tmp_path)
    assert "fonts.example.org" in said


def test_the_page_is_dark_where_the_system_is(browser: str, page: Path, tmp_path: Path, visited: tuple[dict, str]) -> None:
    light, _ = visited
    dark, said = visit(browser, page, tmp_path, "--blink-settings=preferredColorScheme=0")
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


def test_the_view_shows_chosen_cells_methods_and_pairs_and_reads_raw_values(browser: str, page: Path, tmp_path: Path) -> None:
    found, said = visit(browser, page, tmp_path, probe=CLOSER)
    assert said == ""
    study = Study(page.parent.parent)
    cells = [cell for cell in study.cells if "explain:gradcam" in cell.markers]
    chosen = [cells[1], cells[8]]
    assert found["first"] == ["gradcam"] * 3
    assert found["heads"] == ["reconstruction S"] * 2 + ["reconstruction S-"] * 2
    assert found["images"] == 4 * 2 * 2

    def maps(cell, file: str) -> np.ndarray:
        return np.load(study.ledger.path(cell.markers["explain:reconstruction"], file))

    highest = [maps(cell, file).max() for file in ("maps.npy", "maps-2.npy") for cell in chosen]
    assert [float(text) for text in found["row"]] == pytest.approx(highest, rel=1e-3)
    assert found["slider"] == [True, True]
    assert found["nearest"]
    assert [float(text) for text in found["all"]] == pytest.approx([max(highest)] * 4, rel=1e-3)
    assert found["size"] == [240, 240]
    read = re.fullmatch(r"reconstruction S: (\S+) at pixel 16, 48 \(map 6, 18 of 24 x 24\); subject_0; (.*)", found["spot"])
    assert read
    assert read[2] == chosen[0].title
    image = 2 * (4 - 4)  # the view lists four images before the pairs; the first chosen row is pair 0
    assert float(read[1]) == pytest.approx(maps(chosen[0], "maps.npy")[image, 18, 6], rel=2e-3)
    values = [float(text) for text in found["values"] if text]
    wanted = [maps(cell, file)[image, 18, 6] for file in ("maps.npy", "maps-2.npy") for cell in chosen]
    assert values == pytest.approx(wanted, rel=2e-3, abs=1e-4)
    assert "(map 11, 13 of 24 x 24)" in found["keys"]
    assert len(found["gaps"]) == 1  # the other cell has maps
    assert found["gaps"][0].startswith("Refused. not_relu: guided backpropagation is defined for ReLU")
    assert found["hash"].startswith("#view:cells=1,8;methods=1;")
    assert found["wide"], "the page scrolls sideways"


def test_an_address_opens_the_view_as_it_was(browser: str, page: Path, tmp_path: Path) -> None:
    """And what is no place in it is passed over."""
    probe = CLOSER.replace('await choose("cells", [1, 8]);', "return told();").replace(
        "const found = {}",
        """const told = () => {
    const box = document.createElement("pre");
    box.id = "probe";
    found.set = ["opacity", "size", "scale"].map((name) => one(`[data-set=${name}]`).value);
    box.textContent = JSON.stringify(found);
    document.body.append(box);
  };
  const found = {}""",
    )
    at = "#view:cells=2,99;methods=3;images=5;opacity=40;size=9999;scale=none"
    found, said = visit(browser, page, tmp_path, probe=probe, at=at)
    assert said == ""
    assert found["first"] == ["reconstruction S+"]
    assert found["set"] == ["40", "480", "row"]


WIDTHS = """
<script>
addEventListener("load", () => {
  const found = { inner: innerWidth, wide: document.documentElement.scrollWidth <= innerWidth, cut: [], seen: 0 };
  for (const cell of document.querySelectorAll("table.main td")) {
    if (!cell.textContent.trim()) continue;
    const box = cell.getBoundingClientRect(), scroll = cell.closest(".scroll");
    const inside = (left, right) => left >= -1 && right <= innerWidth + 1;
    const scrolls = getComputedStyle(scroll).overflowX === "auto" && scroll.scrollWidth > scroll.clientWidth;
    const frame = scroll.getBoundingClientRect();
    if (inside(box.left, box.right)) found.seen += 1;
    else if (cell.closest(".cards") || !scrolls || !inside(frame.left, frame.right)) found.cut.push(cell.textContent.trim());
  }
  const note = document.createElement("pre");
  note.id = "probe";
  note.textContent = JSON.stringify(found);
  (window.parent === window ? document.body : window.parent.document.body).append(note);
});
</script>
"""
LONG = "a level with a name that is as long as a sentence_and_has_a_part_that_cannot_be_broken_" + "x" * 120


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two protocols, with long names of levels."""
    study = build_study(
        tmp_path_factory.mktemp("crowded") / "two protocols",
        axes={"backbone": ["alexnet", LONG], "a rather long factor": ["one", "two", LONG]},
        protocols=("lfw view 1", "lfw view 2"),
        failed=[{"backbone": "alexnet", "a rather long factor": "two"}],
        pairs=2200,
        images=1,
    )
    return build(study)


@pytest.mark.parametrize("width", [1440, 390])
def test_every_number_can_be_reached_at_any_width(browser: str, crowded: Path, tmp_path: Path, width: int) -> None:
    """In a frame, since a browser's window is at least 500 pixels wide."""
    (tmp_path / "inside.html").write_text(crowded.read_text().replace("</body>", WIDTHS + "</body>"))
    outer = tmp_path / "outer.html"
    frame = f'<iframe src="inside.html" style="width:{width}px;height:3000px;border:0"></iframe>'
    outer.write_text(f'<!doctype html><body style="margin:0">{frame}</body>')
    found, said = visit(browser, outer, tmp_path, "--window-size=1600,3200", "--allow-file-access-from-files", probe="")
    assert said == ""
    assert found["inner"] == width
    assert found["wide"], "the page scrolls sideways"
    assert found["cut"] == []
    cells = json.loads((crowded.parent / "report.json").read_text())["cells"]
    assert found["seen"] > sum(len(cell["metrics"]) for cell in cells) * 7


PICTURE = """
<div class="pictures"><figure>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='1200' height='60'/>">
</figure></div>
"""
LEGIBLE = """
<script>
addEventListener("load", () => {
  const figure = document.querySelector(".pictures figure"), note = document.createElement("pre");
  const wide = document.documentElement.scrollWidth <= innerWidth;
  const found = { wide, image: figure.firstElementChild.offsetWidth, scrolls: figure.scrollWidth > figure.clientWidth };
  note.id = "probe";
  note.textContent = JSON.stringify(found);
  window.parent.document.body.append(note);
});
</script>
"""


def test_a_picture_of_a_stage_scrolls_on_a_narrow_screen_instead_of_shrinking(
    browser: str, crowded: Path, tmp_path: Path
) -> None:
    (tmp_path / "inside.html").write_text(crowded.read_text().replace("</main>", PICTURE + "</main>" + LEGIBLE))
    outer = tmp_path / "outer.html"
    outer.write_text('<!doctype html><iframe src="inside.html" style="width:390px;height:3000px;border:0"></iframe>')
    found, said = visit(browser, outer, tmp_path, "--window-size=1600,3200", "--allow-file-access-from-files", probe="")
    assert said == ""
    assert found == {"wide": True, "image": 860, "scrolls": True}

"""The interactive charts of the report in a real browser: what they draw, read, hide and print."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from chrome import Browser, Tab, running
from invented_study import build_study
from scipy.stats import norm

from grid.ledger.study import Study
from grid.report.build import build
from grid.results import rows

LFW = "lfw view 2"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = build_study(
        tmp_path_factory.mktemp("studies") / "ito2021",
        failed=[{"backbone": "alexnet", "detection": "mtcnn", "pretraining": "imagenet"}],
        pairs=600,
        explainers=(),
        epochs=6,
    )
    return build(study)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def tab(browser: Browser, page: Path) -> Iterator[Tab]:
    found = browser.tab()
    found.size(1440, 1000)
    found.go(page.as_uri())
    found.until("document.readyState === 'complete' && document.querySelector('table.main')")
    yield found
    assert found.said == []
    found.close()


@pytest.fixture(scope="module")
def table(page: Path) -> rows.Table:
    return rows.table(Study(page.parent.parent))


def on(tab: Tab, kind: str, code: str) -> Any:
    """The value of code about ``chart``, once it is drawn."""
    figure = f"document.querySelector('figure.chart[data-kind={kind}]')"
    ready = f"{figure}.chart && {figure}.chart.near && !{figure}.chart.outdated"
    tab.until(f"({figure}.scrollIntoView({{ behavior: 'instant' }}), {ready})")
    return json.loads(tab.js(f"JSON.stringify((() => {{ const chart = {figure}.chart; {code} }})() ?? null)"))


def choose(tab: Tab, kind: str, place: int, value: str) -> None:
    """Chooses in the control at that place."""
    code = f"const select = chart.controls.querySelectorAll('select')[{place}]; select.value = '{value}';"
    on(tab, kind, f"{code} select.dispatchEvent(new Event('change'));")


def drawn(tab: Tab, kind: str) -> list[dict[str, Any]]:
    """Lines in the coordinates of the axes, and as the library was told to draw them."""
    found: list[dict[str, Any]] = on(
        tab,
        kind,
        """const told = chart.echart.getOption().series;
        const of = ({ entry, points }, n) => ({ key: entry.key, cell: entry.cell, points, told: told[n].data });
        return chart.lines.map(of);""",
    )
    assert all(one["points"] == one["told"] for one in found)
    return found


def scores_of(page: Path, row: rows.Row) -> tuple[np.ndarray, np.ndarray]:
    path = Study(page.parent.parent).ledger.path(row.markers[f"evaluate:{LFW}"], "scores.parquet")
    found = pq.read_table(path).to_pandas()
    return found.score.to_numpy(), found.same.to_numpy()


@pytest.mark.parametrize("scale", ["log", "linear", "det"])
def test_error_rates_lie_on_the_curves_of_the_scores(tab: Tab, page: Path, table: rows.Table, scale: str) -> None:
    choose(tab, "roc", 0, scale)
    lines = drawn(tab, "roc")
    assert sorted(line["cell"] for line in lines) == [n for n, row in enumerate(table.rows) if row.metrics]
    for line in lines[:3]:
        scores, same = scores_of(page, table.rows[line["cell"]])
        far, tar = ([np.mean(scores[kind] >= one) for one in [np.inf, *sorted(scores, reverse=True)]] for kind in (~same, same))
        floor = 0.5 / 300
        every = {
            "log": [(math.log10(max(x, 1 / 300)), 100 * y) for x, y in zip(far, tar, strict=True)],
            "linear": [(100 * x, 100 * y) for x, y in zip(far, tar, strict=True)],
            "det": [tuple(norm.ppf(np.clip([x, 1 - y], floor, 1 - floor))) for x, y in zip(far, tar, strict=True)],
        }[scale]
        near = [min(math.dist(point, one) for one in every) for point in line["points"]]
        assert max(near) < 1e-3 * (100 if scale == "linear" else 10)
        assert len(line["points"]) > 50


def test_pointing_at_a_line_names_its_cell_and_reads_all_cells_there(tab: Tab, page: Path, table: rows.Table) -> None:
    at = on(
        tab,
        "roc",
        """const [line, box] = [chart.lines[2], chart.canvas.getBoundingClientRect()];
        const far = (one, x, y) => one === line || one.pixels.every(([a, b]) => Math.hypot(a - x, b - y) > 3);
        const apart = ([x, y]) => x > chart.box.left + 100 && chart.lines.every((one) => far(one, x, y));
        const [x, y] = line.pixels.find(apart);
        return [x + box.left, y + box.top];""",
    )
    tab.do("Input.dispatchMouseEvent", type="mouseMoved", x=at[0], y=at[1])
    found = on(
        tab,
        "roc",
        """const read = (entry) => chart.items.get(entry.key).value.textContent;
        const { name, cell } = chart.lines[2].entry, hot = [...document.querySelectorAll("#table tr.hot")];
        return { tip: chart.tip.textContent, hidden: chart.tip.hidden, name, cell, far: chart.heading.textContent, x: chart.at,
          values: chart.entries.map((entry) => [entry.cell, parseFloat(read(entry))]), 
          hot: hot.map((row) => Number(row.dataset.row)) };""",
    )
    assert not found["hidden"]
    assert found["tip"].startswith(f"{found['name']}: TAR ")
    assert "threshold" in found["tip"]
    assert found["hot"] == [found["cell"]]
    assert found["far"].startswith("TAR at FAR ")
    far = 10 ** found["x"]
    for cell, tar in found["values"]:
        scores, same = scores_of(page, table.rows[cell])
        accepted = [np.mean(scores[same] >= one) for one in scores if np.mean(scores[~same] >= one) <= far]
        assert tar == pytest.approx(100 * max(accepted, default=0), abs=1.0)  # thinned to a 300th of the side
    tab.do("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    assert on(tab, "roc", "return [chart.tip.hidden, document.querySelectorAll('.hot').length];") == [True, 0]


@pytest.mark.parametrize("kind", ["roc", "scores", "cost", "parallel", "learning", "interactions"])
def test_a_click_in_the_legend_hides_a_line_and_another_one_brings_it_back(tab: Tab, kind: str) -> None:
    count = (
        "if (chart.order) return chart.echart.getOption().series[0].data.length;"
        "return chart.lines.filter((line) => line.entry.key === chart.entries[0].key).length;"
    )
    click = (
        "const { button } = chart.items.get(chart.entries[0].key); button.click(); return button.getAttribute('aria-pressed');"
    )
    before = on(tab, kind, count)
    assert before
    assert on(tab, kind, click) == "false"
    assert on(tab, kind, count) == (before - 1 if kind == "parallel" else 0)
    assert on(tab, kind, click) == "true"
    assert on(tab, kind, count) == before


def test_the_filter_of_the_page_acts_on_tables_and_charts(tab: Tab, table: rows.Table) -> None:
    def shown() -> list[list[int]]:
        charts = [sorted({line["cell"] for line in drawn(tab, kind)}) for kind in ("roc", "cost", "learning")]
        rows_ = tab.js(
            "[...document.querySelectorAll('#table tr[data-row]')]"
            ".filter((row) => row.offsetHeight).map((row) => Number(row.dataset.row))"
        )
        return [*charts, sorted(rows_)]

    def of(*backbones: str) -> list[int]:
        return [n for n, row in enumerate(table.rows) if row.cell.levels["backbone"] in backbones]

    done = [n for n, row in enumerate(table.rows) if row.metrics]
    assert shown() == [done, done, done, list(range(12))]
    means = on(tab, "interactions", "return chart.lines.map((line) => line.counts);")
    tab.js("document.querySelector('.filter input[name=backbone][value=alexnet]').click()")
    kept = of("resnet34", "efficientnet_b1")
    assert shown() == [kept, kept, kept, kept]
    assert tab.js("document.querySelector('.filter .shown').textContent") == "8 of 12"
    after = on(tab, "interactions", "return chart.lines.map((line) => [line.points.map((point) => point[0]), line.counts]);")
    assert means == [[1, 1, 1]] * 2  # alexnet lacks a combination, so the others are averaged without it, too
    assert [counts for _, counts in after] == [[2, 2]] * 2
    assert all(places == [1, 2] for places, _ in after)
    tab.js("document.querySelector('.filter .every').click()")
    assert shown() == [done, done, done, list(range(12))]


def test_means_of_interactions_are_those_of_the_table(tab: Tab, table: rows.Table) -> None:
    choose(tab, "interactions", 2, "pretraining")
    for line in drawn(tab, "interactions"):
        for place, mean in line["points"]:
            backbone = ["alexnet", "resnet34", "efficientnet_b1"][place]
            cells = [
                row
                for row in table.rows
                if (row.cell.levels["backbone"], row.cell.levels["pretraining"]) == (backbone, line["key"])
                and row.cell.levels["detection"] == "none"  # a cell with mtcnn is missing
            ]
            values = [result.value for row in cells if (result := row.value(table.columns[0]))]
            assert mean == pytest.approx(100 * np.mean(values), rel=1e-4)


def test_cost_and_learning_curves_have_the_numbers_of_the_cells(tab: Tab, page: Path, table: rows.Table) -> None:
    for line in drawn(tab, "cost"):
        result = table.rows[line["cell"]].value(table.columns[0])
        assert result is not None
        assert [y for _, y in line["points"]] == pytest.approx(
            [100 * one for one in (result.low, result.value, result.high)], rel=1e-4
        )
    for line in drawn(tab, "learning"):
        marker = table.rows[line["cell"]].markers["train"]
        epochs = Study(page.parent.parent).ledger.json(marker, "history.json")
        assert line["points"] == [
            [n, pytest.approx(math.log10(one["validation_loss"]), abs=1e-4)] for n, one in enumerate(epochs, 1)
        ]


def test_rates_at_a_threshold_are_those_of_the_scores(tab: Tab, page: Path, table: rows.Table) -> None:
    found = on(
        tab,
        "scores",
        "chart.read(0.2); const text = (entry) => chart.items.get(entry.key).value.textContent;"
        "return chart.entries.slice(0, 2).map((entry) => [entry.cell, text(entry)]);",
    )
    for cell, text in found:
        scores, same = scores_of(page, table.rows[cell])
        wanted = [100 * np.mean(scores[~same] >= 0.2), 100 * np.mean(scores[same] < 0.2)]
        assert [float(part.removesuffix(" %")) for part in text.split(", ")] == pytest.approx(
            wanted, abs=0.7
        )  # two pairs of 300


def test_a_range_along_an_axis_selects_cells_for_the_page(tab: Tab, table: rows.Table) -> None:
    """Parallel coordinates: the cells with the lowest EER."""
    eer = {n: 100 * row.metrics[LFW]["eer"]["value"] for n, row in enumerate(table.rows) if row.metrics}
    low, high = min(eer.values()) - 0.01, sorted(eer.values())[3] + 0.01
    chosen = [n for n, value in eer.items() if low <= value <= high]
    axis = on(tab, "parallel", "return chart.echart.getOption().parallelAxis.findIndex((one) => one.name.startsWith('EER'));")
    on(
        tab,
        "parallel",
        f"chart.echart.dispatchAction({{ type: 'axisAreaSelect', parallelAxisIndex: {axis}, intervals: [[{low}, {high}]] }});",
    )
    button = on(
        tab,
        "parallel",
        "const button = chart.controls.querySelector('button'); const text = button.textContent; button.click(); return text;",
    )
    assert button == f"Show only the {len(chosen)} selected cells on the page"
    assert sorted(line["cell"] for line in drawn(tab, "roc")) == chosen
    assert tab.js("document.querySelector('.filter .shown').textContent") == f"{len(chosen)} of 12"


def test_a_typed_range_selects_cells_for_the_page(tab: Tab, table: rows.Table) -> None:
    """The same as drawing along an axis of the parallel coordinates, with keys alone."""
    column = next(one for one in table.columns if one.key == "auc")
    values = [None if (found := row.value(column)) is None else found.value for row in table.rows]
    known = sorted(value for value in values if value is not None)
    least = (known[-4] + known[-3]) / 2
    tab.js("document.querySelector('.filter').open = true")
    box = f"document.querySelector('.filter .ranges [aria-label=\"{column.heading} from\"]')"
    tab.js(f"{box}.value = {least * (100 if column.percent else 1)}")
    tab.js(f"{box}.dispatchEvent(new Event('change'))")
    assert tab.js("document.querySelector('.filter .shown').textContent") == "3 of 12"
    hidden = tab.js("[...document.querySelectorAll('#table tr[data-row].filtered')].map((row) => Number(row.dataset.row))")
    assert hidden == [n for n, value in enumerate(values) if value is None or value < least]
    tab.js("document.querySelector('.filter .every').click()")
    assert tab.js(f"{box}.value") == ""
    assert tab.js("document.querySelector('.filter .shown').textContent") == "12 of 12"


def test_keys_go_from_line_to_line_and_along_it(tab: Tab) -> None:
    press = "const press = (key) => chart.plot.dispatchEvent(new KeyboardEvent('keydown', { key }));"
    told = on(
        tab,
        "roc",
        f"{press} chart.plot.focus();"
        "return ['ArrowDown', 'ArrowRight', 'ArrowDown'].map((key) => (press(key), chart.tip.textContent));",
    )
    names = on(tab, "roc", "return chart.entries.map((entry) => entry.name);")
    assert [text.partition(":")[0] for text in told] == [names[0], names[0], names[1]]
    assert told[0] != told[1]
    assert on(
        tab,
        "roc",
        "const { key } = chart.entries[3]; chart.items.get(key).button.focus(); return chart.marked === key;",
    )


def test_links_lead_to_their_sections_although_charts_are_drawn_on_the_way(tab: Tab) -> None:
    links = "[...document.querySelectorAll('nav a')].filter(one => document.querySelector(one.hash))"
    count = tab.js(f"{links}.length")
    assert count > 5
    for number in range(count):
        tab.js(f"window.scrollTo(0, 0), {links}[{number}].click()")
        place = "document.querySelector(location.hash).getBoundingClientRect().top"
        end = "Math.abs(scrollY + innerHeight - document.documentElement.scrollHeight) < 2"
        tab.until(f"Math.abs({place}) < 100 || {end}", 10)
        time.sleep(0.5)  # for charts that come near
        assert tab.js(f"Math.abs({place}) < 100 || {end}"), tab.js(f"location.hash + ' ' + {place}")


def test_charts_follow_the_color_scheme_and_give_way_to_figures_in_print(tab: Tab) -> None:
    def colors() -> Any:
        return on(tab, "roc", "return chart.echart.getOption().series.map((one) => one.lineStyle.color);")

    def shown() -> Any:
        return tab.js(
            "[...document.querySelectorAll('figure.chart, .filter, figure.static')].reduce((sum, one) => "
            "({ ...sum, [one.className]: (sum[one.className] || 0) + (one.offsetHeight > 0) }), {})"
        )

    tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    light = colors()
    tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    first = "document.querySelector('figure.chart[data-kind=roc]').chart.echart.getOption().series[0]"
    tab.until(f"{first}.lineStyle.color !== '{light[0]}'")
    assert not set(light) & set(colors())
    assert shown() == {"chart": 6, "filter": 1, "plot static": 0}
    tab.do("Emulation.setEmulatedMedia", media="print")
    assert shown() == {"chart": 0, "filter": 0, "plot static": 8}


def test_figures_stand_in_for_charts_where_no_script_runs(page: Path, browser: Browser, tmp_path: Path) -> None:
    """The policy of the page is changed to forbid scripts; a frame tells what it shows."""
    text = page.read_text()
    assert text.count("script-src 'unsafe-inline'") == 1
    (tmp_path / "plain.html").write_text(text.replace("script-src 'unsafe-inline'", "script-src 'none'"))
    plain = browser.tab()
    plain.size(1440, 1000)
    plain.go((tmp_path / "plain.html").as_uri())
    shown = "[...document.querySelectorAll('figure.SUCH')].map((one) => one.offsetHeight > 100)"
    plain.until("document.readyState === 'complete' && document.querySelector('#provenance')")
    assert plain.js(shown.replace("SUCH", "static")) == [True] * 8
    assert not any(plain.js(shown.replace("SUCH", "chart")))
    plain.close()

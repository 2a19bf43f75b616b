"""Figures of a study: what they show, valid files, equal bytes, and colors that follow the page's theme."""

import itertools
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from invented_study import build_study

from grid.analysis.analysis import MetricAnalysis, ProtocolAnalysis, analyze
from grid.analysis.cell_contrasts import CellContrasts
from grid.analysis.effects import effects
from grid.report.build import build
from grid.report.plots.canvas import COLORS, finish, new, stroke
from grid.report.plots.critical_differences import critical_differences
from grid.report.plots.error_curves import det_curves
from grid.report.plots.interactions import UNBALANCED, interactions
from grid.report.plots.of_study import ONE, distinct, plots
from grid.report.plots.parallel import number_axis
from grid.report.plots.scores import Scored, scored, thinned
from grid.results.columns import Column
from grid.results.rows import table

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "replicate": ["0", "1"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tests only read it."""
    return build_study(tmp_path_factory.mktemp("plots") / "x_$1$", axes=AXES, pairs=200, explainers=())


@pytest.fixture(scope="module")
def drawn(study):
    shown = table(study)
    return plots(study, shown, analyze(study, shown))


def texts(plot):
    return [one.text for one in ElementTree.fromstring(plot.svg).iter("{http://www.w3.org/2000/svg}text")]


def test_every_kind_is_drawn_as_svg_and_pdf(drawn):
    kinds = ["differences", "interactions", "roc", "det", "rates", "scores", "learning", "cost", "parallel"]
    assert [one.kind for one in drawn] == kinds
    assert all(one.pdf.startswith(b"%PDF") for one in drawn)
    assert "TAR [%]" in texts(drawn[2])
    assert "FNMR (FRR) [%]" in texts(drawn[3])
    assert [one.protocol for one in drawn] == ["lfw view 2"] * 6 + ["", "lfw view 2", "lfw view 2"]


@pytest.mark.parametrize(
    ("pairs", "words"), [(17, "In the shaded part, fewer than 10 of 17"), (16, "Everywhere here, fewer than 10 of 16")]
)
def test_the_det_curve_speaks_of_a_shaded_part_only_where_one_is_drawn(pairs, words):
    same = np.arange(2 * pairs) < pairs
    plot = det_curves([Scored("one", np.where(same, 0.6, 0.4) + 0.01 * np.arange(2 * pairs), same)], 0, "p")
    shaded = [one for one in plot.figure.axes[0].patches if one.get_alpha() == 0.12]
    assert words in plot.words
    assert len(shaded) == words.startswith("In")


def test_cells_stand_with_their_values_and_tied_runs_in_words(study, drawn):
    (found,) = analyze(study, table(study))
    compared = found.metrics[0].comparisons
    shown = [text for text in texts(drawn[0]) if text and ", " in text and "validated" not in text]
    best = found.cells[compared.order[0]]
    assert sum(text.startswith(", ".join(best.values())) for text in shown) == 1
    assert len(shown) == 4
    assert "do not differ" in drawn[0].words or "differ significantly" in drawn[0].words


def test_a_missing_cell_makes_no_interaction():
    axes = {axis: (f"{axis}0", f"{axis}1") for axis in "abc"}
    cells = [dict(zip(axes, one, strict=True)) for one in itertools.product(*axes.values())]
    sums = [[0.05, 0.05, 0.2] @ np.array([level.endswith("1") for level in cell.values()]) for cell in cells]

    def drawn(kept):
        values = np.array([0.6 + sums[n] for n in kept])
        contrasts = CellContrasts("acc", [[n] for n in range(len(kept))], values, None)
        found = effects([cells[n] for n in kept], [0] * len(kept), values, axes)
        metric = MetricAnalysis(Column("p", "acc", "Accuracy", True, 2), found, None, contrasts)
        protocol = ProtocolAnalysis("p", axes, tuple(cells[n] for n in kept), (1,), 0, (), (metric,), None, None, 0, "")
        plot = interactions(protocol, metric)
        assert (UNBALANCED in plot.words) == (len(kept) < 8)
        return [[line.get_ydata() for line in one.lines] for one in plot.figure.axes if one.lines]

    assert [line.tolist() for line in drawn(range(8))[0]] == [pytest.approx([70, 75]), pytest.approx([75, 80])]
    for one, other in drawn(range(7)):
        assert one[1] - one[0] == pytest.approx(other[1] - other[0])
    assert all(np.isfinite(line).all() for panel in drawn([0, 3, 5, 6]) for line in panel)  # a fraction: nothing in common


def test_tied_runs_are_bars(study):
    (found,) = analyze(study, table(study))
    metric = found.metrics[0]
    free = replace(metric.comparisons, pairs=tuple(replace(pair, adjusted=0.001) for pair in metric.comparisons.pairs))
    tied = replace(metric.comparisons, pairs=tuple(replace(pair, adjusted=1.0) for pair in metric.comparisons.pairs))
    bars = [critical_differences(found, replace(metric, comparisons=one)).svg.count(b"stroke-width: 3") for one in (free, tied)]
    assert bars == [0, 1]


def test_replicates_share_a_color_and_the_first_is_scored(study, drawn):
    cells, more = scored(study, table(study), "lfw view 2")
    assert {one.kind for one in drawn if ONE in one.words} == {"roc", "det", "rates", "scores", "parallel"}
    assert (len(cells), more) == (4, 0)
    first = table(study).rows[0]
    assert cells[0].title == "alexnet, none"
    assert len(cells[0].scores) == 200
    assert first.cell.levels["replicate"] == "0"
    assert sum(text == "alexnet, none" for text in texts(drawn[6])) == 1


def test_equal_figures_are_equal_bytes_and_follow_the_theme():
    def made():
        figure, ((axes,),) = new(2, 2)
        axes.plot([0, 1], [0, 1], **stroke(1))
        return finish(figure, "A b", "A", "B.")

    one, other = made(), made()
    assert (one.svg, one.pdf, one.name) == (other.svg, other.pdf, "a-b")
    assert COLORS[1].encode() in one.svg
    assert COLORS[1] not in one.inline
    assert "var(--c1)" in one.inline
    assert one.inline.startswith("<svg")
    assert 'id="a-b-figure_1"' in one.inline


def test_figures_of_protocols_with_similar_titles_have_distinct_names(drawn):
    same = [replace(drawn[2], name="det-lfw") for _ in range(3)]
    found = distinct([*same, replace(drawn[2], name="det-lfw-2")])
    assert [one.name for one in found] == ["det-lfw", "det-lfw-2", "det-lfw-3", "det-lfw-2-2"]
    assert 'id="det-lfw-3-figure_1"' in found[2].inline


def test_the_page_has_them_and_no_study_name_is_a_formula(study):
    html = build(study).read_text()
    assert html.count('<figure class="plot">') == 1  # what has no interactive form
    assert html.count('<figure class="plot static">') == 8
    assert "x_$1$" in html


def test_long_lists_make_no_large_files():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.normal(size=100_000)), np.linspace(-3, 5, 100_000)
    kept = thinned(x, y)
    assert len(kept[0]) < 1500
    assert np.abs(np.interp(x, *kept) - y).max() < 8 / 150
    assert (kept[0][0], kept[1][-1]) == (pytest.approx(x[0]), pytest.approx(5))


def test_parallel_axes_go_from_the_worst_to_the_best_and_lines_through_the_cells(study, drawn):
    """Of replicates, the first; the best cell first."""
    found = table(study)
    plot = drawn[-1]
    (axes,) = plot.figure.axes
    lines = [line for line in axes.lines if line.get_marker() == "o"]
    firsts = [row for row in found.rows if row.cell.levels["replicate"] == "0"]
    column = next(one for one in found.columns if one.headline)
    best = sorted(firsts, key=lambda row: -row.value(column).value)
    assert [line.get_label() for line in lines] == [", ".join(list(row.cell.levels.values())[:2]) for row in best]
    titles = [tick.get_text().replace("\n", " ") for tick in axes.get_xticklabels()]
    eer = next(one for one in found.columns if one.key == "eer")
    place, rates = titles.index(eer.heading), [row.value(eer).value for row in best]
    for line, rate in zip(lines, rates, strict=True):
        assert line.get_ydata()[place] == pytest.approx((max(rates) - rate) / (max(rates) - min(rates)))
    assert [line.get_ydata()[1] for line in lines] == [float(row.cell.levels["detection"] == "mtcnn") for row in best]
    assert eer.text(max(rates)) in texts(plot)


def test_an_axis_whose_values_are_equal_stands_in_the_middle():
    axis = number_axis("EER", [0.2, None, 0.2], True, lambda value: f"{value:.1f}")
    assert (axis.places, axis.labels) == ((0.5, None, 0.5), ((0.5, "0.2"),))


def test_a_finished_figure_is_laid_out_so_that_nothing_sticks_out():
    figure, ((axes,),) = new(3, 2)
    axes.set_yticks([0, 1], ["a long name of a level", "b"])
    finish(figure, "a", "a", "a")
    box = figure.get_tightbbox()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= 3
    assert box.y1 <= 2

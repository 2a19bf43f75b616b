"""Names have room in figures, whatever a user calls the levels."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_study import build_study
from matplotlib import rc_context

from grid.analysis.analysis import analyze
from grid.report.plots.canvas import STYLE, fitted, inches, legend, new, panel_title, panels, text, ticks, wrapped
from grid.report.plots.of_study import plots
from grid.results.rows import table

LONG = "a level with a name that is as long as a sentence_and_has_a_part_that_cannot_be_broken_" + "x" * 120
BACKBONES = ["alexnet", "resnet34", "efficientnet_b1", "mobilenetv3_small", "inception_resnet_v1"]


def test_a_long_text_loses_its_middle() -> None:
    assert text("resnet34", 8) == "resnet34"
    assert text("mobilenetv3_small", 9) == "mobi…mall"
    assert text("mobilenetv3_small", 8) == "mobi…all"
    assert text("$x$", 3) == r"\$x\$"


@given(st.text(max_size=300), st.integers(4, 60))
def test_no_text_is_longer_than_asked_for(name: str, most: int) -> None:
    assert len(text(name.replace("$", ""), most).replace("\\", "")) <= most


def test_a_wrapped_name_has_two_lines_at_most_and_keeps_both_ends() -> None:
    assert wrapped("alexnet, original", 3) == "alexnet, original"
    first, second = wrapped("inception_resnet_v1, original, pretrained on faces, seed 3", 3).split("\n")
    assert f"{first} {second}" == "inception_resnet_v1, original, pretrained on faces, seed 3"
    first, second = wrapped(f"alexnet, {LONG}, one", 3).split("\n")
    assert first.startswith("alexnet, a level")
    assert second.endswith(", one")
    assert max(inches(first, 9), inches(second, 9)) <= 3
    assert wrapped("", 3) == ""
    assert wrapped("m" * 90, 3) == fitted("m" * 90, 3, 9)


def test_the_width_of_a_text_is_measured() -> None:
    assert inches("iiiiiiii", 9) < 0.6 * inches("mmmmmmmm", 9)
    assert inches("alexnet", 18) == pytest.approx(2 * inches("alexnet", 9), rel=0.05)
    assert fitted("alexnet", inches("alexnet", 9), 9) == "alexnet"
    assert fitted("alexnet", inches("alexnet", 9) - 0.01, 9) == "ale…et"
    assert (inches("", 9), inches(" ", 9)) == (0, 0)


def boxes(figure: Any, artists: Any) -> list[Any]:
    """In inches."""
    figure.canvas.draw()
    return [one.get_window_extent() for one in artists]


@pytest.mark.parametrize("names", [BACKBONES, [LONG, "one"], ["none", "source"], ["a"]])
def test_a_legend_is_as_wide_as_the_figure_at_most(names: list[str]) -> None:
    with rc_context(STYLE):
        figure, ((axes,),) = new(5.4, 4)
        for name in names:
            axes.plot([0, 1], [0, 1], label=name)
        legend(figure, axes, [f"{name}, original, source" for name in names])
        (box,) = boxes(figure, figure.legends)
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1 + 1


@pytest.mark.parametrize("levels", [BACKBONES, [LONG, "one"], ["none", "source"]])
def test_levels_below_an_axis_do_not_overlap(levels: list[str]) -> None:
    with rc_context(STYLE):
        figure, (axes, _) = panels(2, 2, (3.3, 2.5), (0.2, 0))
        ticks(axes, levels)
        labels = axes.get_xticklabels()
        slanted = labels[0].get_rotation() > 0
        found = boxes(figure, labels)
    assert slanted is (levels != ["none", "source"])
    if not slanted:
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(found))
    assert axes.bbox.height > 0.35 * figure.bbox.height, "the names leave room for what is drawn"


def test_titles_of_neighboring_panels_do_not_overlap() -> None:
    names = [f"{name}, original, pretrained on a million faces" for name in BACKBONES[-3:]]
    with rc_context(STYLE):
        figure, axes = panels(3, 3, (2.3, 1.75), (0.4, 0.5))
        for place, name in zip(axes, names, strict=True):
            panel_title(place, name)
        found = boxes(figure, [place.title for place in axes])
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(found))


@pytest.mark.slow
def test_every_figure_of_a_study_with_long_names_has_a_layout(tmp_path: Any) -> None:
    axes = {"backbone": ["alexnet", LONG], "a rather long factor": ["one", "two", LONG]}
    study = build_study(tmp_path / "long", axes=axes, pairs=1200, images=1, explainers=())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = plots(study, table(study), analyze(study, table(study)))
    assert {plot.kind for plot in found} >= {"differences", "interactions", "parallel", "det", "scores", "cost"}
    for plot in found:
        for place in plot.figure.axes:
            if place.get_visible():
                assert np.min(place.bbox.size) > 30, plot.name

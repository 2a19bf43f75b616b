"""The curves of played hiding games."""

from types import SimpleNamespace

import numpy as np
import pytest
from explained import paired, single, together

from grid.report.plots.canvas import SOFT
from grid.report.plots.hiding_game import PANELS, hiding_games
from grid.results.explanation_scores import Scored
from modules.explanation_metrics.hiding_game import HidingGameConfig

SETTINGS = HidingGameConfig(shares=(0.0, 0.5, 1.0), resamples=20)


def row(**levels):
    return SimpleNamespace(cell=SimpleNamespace(levels=levels))


def played(explained, method, cell, of="pairs", score="hiding_game"):
    """As a finished stage has it."""
    return Scored(cell, method, score, {"score": "hiding_game", **SETTINGS.build().score(explained)}, "done", None, of)


@pytest.fixture(scope="module")
def games():
    one = row(backbone="one")
    return [played(paired(), "gradcam", one), played(together(), "corr_rise", one)]


def lines(axes):
    return {line.get_label(): np.array(line.get_xydata()) for line in axes.lines}


def test_each_map_and_baseline_is_a_line_through_its_accuracies(games):
    (plot,) = hiding_games(games)
    drawn = lines(plot.figure.axes[0])
    assert list(drawn) == ["corr_rise S+", "corr_rise S-", "gradcam", "center", "random", "constant"]
    for name, game, map_ in (("gradcam", games[0], ""), ("corr_rise S-", games[1], "S-"), ("center", games[1], "center")):
        details = game.result["details"]
        expected = 100 * np.stack([details["shares"], details["methods"][map_]["accuracy"]], 1)
        np.testing.assert_allclose(drawn[name], expected)
    assert drawn["gradcam"][0, 0] == 0
    assert drawn["gradcam"][-1, 0] == 100
    gray = [line.get_label() for line in plot.figure.axes[0].lines if line.get_color() == SOFT]
    assert gray == ["center", "random", "constant"]
    assert plot.kind == "hiding"
    assert "6 pairs" in plot.words


def test_images_and_pairs_and_settings_have_figures_of_their_own(games):
    images = played(single(), "gradcam", games[0].row, of="images")
    refitted = played(paired(), "gradcam", games[0].row, score="coarse")
    refused = Scored(games[0].row, "cam", "hiding_game", {"score": "hiding_game", "refused": {}}, "refused", "no_maps", "pairs")
    found = hiding_games([*games, images, refitted, refused])
    assert [plot.title for plot in found] == ["Hiding game, pairs", "Hiding game, images", "Coarse, pairs"]
    expected = images.result["details"]["methods"][""]["accuracy"]["course"]
    np.testing.assert_allclose(lines(found[1].figure.axes[0])["gradcam"][:, 1], 100 * np.array(expected))


def test_cells_are_panels_with_equal_colors_and_of_replicates_the_first_is_drawn(games):
    result = games[0].result
    rows = [row(backbone="a", replicate="0"), row(backbone="a", replicate="1"), *(row(backbone=f"{n}") for n in range(PANELS))]
    given = [Scored(one, "gradcam", "hiding_game", result, "done", None, "pairs") for one in rows]
    given.append(Scored(rows[2], "abn", "hiding_game", games[1].result, "done", None, "pairs"))
    (plot,) = hiding_games(given)
    panels = plot.figure.axes
    assert [panel.get_title() for panel in panels] == ["a", *(f"{n}" for n in range(PANELS - 1))]
    assert {line.get_color() for panel in panels for line in panel.lines if line.get_label() == "gradcam"} == {
        panels[0].lines[2].get_color()
    }
    assert "1 more cells are not shown" in plot.words


@pytest.mark.parametrize(
    ("threshold", "words"),
    [
        ("pairs", "on 6 pairs, at the best threshold of these pairs without hidden pixels."),
        (0.05, "on 6 pairs, at the given threshold 0.05."),
    ],
)
def test_the_caption_says_where_the_threshold_is_from(threshold, words):
    game = {"score": "hiding_game", **SETTINGS.model_copy(update={"threshold": threshold}).build().score(paired())}
    (plot,) = hiding_games([Scored(row(backbone="a"), "gradcam", "hiding_game", game, "done", None, "pairs")])
    assert words in plot.words


def test_no_hiding_game_is_no_figure(games):
    other = Scored(games[0].row, "gradcam", "deletion", {"score": "deletion", "details": {}}, "done", None, "images")
    assert hiding_games([other]) == []

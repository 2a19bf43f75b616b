"""Hiding game: accuracy while the least important pixels are hidden, a line per explainer (Xu et al., 2023, Fig. 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grid.report.plots.canvas import SOFT, Plot, finish, legend, panel_title, panels, stroke, text
from grid.report.plots.scores import left_out, name_of
from grid.results.explanation_scores import Scored

SCORE = "hiding_game"
PANELS = 6  # cells that a figure shows
BASELINE_DASHES = {"center": "--", "random": ":", "constant": "-."}
Curve = tuple[Sequence[float], Sequence[float]]  # shares of hidden pixels, and the accuracy at each; from 0 to 1


def hiding_games(found: Sequence[Scored]) -> list[Plot]:
    """A figure for each hiding game and kind of probes, with a panel per cell; of replicates, the first is drawn.

    Args:
        found: all scores of a study; those of other metrics are passed over
    """
    groups: dict[tuple[str, str], list[Scored]] = {}
    for one in found:
        if one.state == "done" and one.result is not None and one.result["score"] == SCORE and "details" in one.result:
            groups.setdefault((one.score, one.of), []).append(one)
    return [_figure(score, of, games) for (score, of), games in groups.items()]


def curves(result: Mapping[str, Any]) -> dict[str, tuple[bool, Curve]]:
    """(whether it is a baseline, its curve) of each map and baseline of a ``score.json``."""
    details = result["details"]
    return {
        name: (entry["baseline"], (details["shares"], _accuracy(entry["accuracy"])))
        for name, entry in details["methods"].items()
    }


def _accuracy(entry: Any) -> Sequence[float]:
    """Of pairs a list; of single images that of one of several numbers."""
    course: Sequence[float] = entry["course"] if isinstance(entry, Mapping) else entry
    return course


def _figure(score: str, of: str, games: Sequence[Scored]) -> Plot:
    cells: dict[str, list[Scored]] = {}
    for game in games:
        own = cells.setdefault(name_of(game.row), [])
        if not own or own[0].row is game.row:
            own.append(game)
    shown = list(cells.items())[:PANELS]
    lines = {cell: _lines(own) for cell, own in shown}
    names = sorted({name for own in lines.values() for name, (baseline, _) in own.items() if not baseline})
    styles = {name: stroke(number) for number, name in enumerate(names)}
    grounds = {name: {"color": SOFT, "linestyle": dash, "linewidth": 1.1} for name, dash in BASELINE_DASHES.items()}
    styles |= {name: style for name, style in grounds.items() if any(own.get(name, (False,))[0] for own in lines.values())}
    figure, axes = panels(len(shown), 2, (3.4, 2.7), (0.4, 0.4 + 0.17 * len(styles)), sharex=True, sharey=True)
    for place, (cell, drawn) in zip(axes, lines.items(), strict=True):
        for name, style in styles.items():
            shares, accuracy = drawn[name][1] if name in drawn else ([], [])
            place.plot([100 * one for one in shares], [100 * one for one in accuracy], **style, label=text(name))
        panel_title(place, cell)
        place.set(xlabel="hidden pixels, least important first [%]", ylabel="accuracy [%]")
        place.label_outer()
    legend(figure, axes[0], list(styles))
    counts = sorted({game.result["count"] for _, own in shown for game in own if game.result})
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    probes = of.partition(" ")[0]
    threshold = f", at {_thresholds(own for _, own in shown)}" if probes == "pairs" else ""
    words = (
        f"Accuracy on {number} {probes}{threshold}. Gray: maps that look at no image. The table has the areas under these "
        "curves, with intervals."
    )
    title = score[:1].upper() + score[1:].replace("_", " ")
    return finish(figure, f"hiding {score} {of}", f"{title}, {of}", words + left_out(len(cells) - len(shown)))


def _thresholds(cells: Iterable[Sequence[Scored]]) -> str:
    """Where the thresholds are from; almost always the same for all cells."""
    found: dict[str, None] = {}
    for details in (game.result["details"] for own in cells for game in own if game.result):
        origin = details["threshold_from"]
        if origin == "given":
            found[f"the given threshold {details['threshold']:g}"] = None
        else:
            found["the best threshold of " + ("these pairs without hidden pixels" if "clean" in origin else origin)] = None
    return " or ".join(found)


def _lines(games: Sequence[Scored]) -> dict[str, tuple[bool, Curve]]:
    """Of a cell, by the explainer's title and the name of its map; baselines are those of the first explainer."""
    found: dict[str, tuple[bool, Curve]] = {}
    for game in sorted(games, key=lambda one: one.method):
        assert game.result is not None
        for name, (baseline, curve) in curves(game.result).items():
            found.setdefault(name if baseline else f"{game.method} {name}".rstrip(), (baseline, curve))
    return found

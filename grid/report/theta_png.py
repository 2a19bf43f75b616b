"""Pairwise occlusion as shown by Zhong and Deng.

Delta of the reference pairs, their maxima with Theta, and pairs under the normalized map (their Figs. 3 and 4, and 5 and 6 in
the layout).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from grid.figure_png import figure_png
from grid.ledger.study import Study
from grid.report.fonts import write
from grid.report.panel import EDGE, FAINT, GENUINE, IMPOSTOR, INK, TILE, png, ramp
from grid.report.sheets import chosen
from grid.results import heatmap
from grid.results.explanation_reader import Explained, column
from grid.results.heatmap import Scale
from grid.results.rows import Row

SIDE = 96  # side in pixels of a face under the charts
PAIRS, ACROSS = 9, 3  # number of pairs, and pairs per row
CHART = (2 * TILE + 100) / 100  # height in inches, at 100 pixels each


def theta_png(study: Study, row: Row, one: Explained) -> bytes | None:
    """The image; None where the manifest has no Theta. Equal inputs give equal bytes."""
    theta = (one.manifest.get("notes") or {}).get("theta")
    if not theta or "histogram" not in theta:
        return None
    from PIL import Image, ImageDraw

    block = 4 * SIDE + 10
    width = 2 * EDGE + ACROSS * block + (ACROSS - 1) * 24 + 60
    tiles = _pairs(one) if "normalized" in one.names else []
    lines = -(-len(tiles) // ACROSS)
    charts = Image.open(io.BytesIO(_charts(theta, (width - 2 * EDGE) / 100)), formats=["PNG"])
    top = EDGE + 48
    height = top + charts.height + (30 + lines * (SIDE + 34) if lines else 0) + EDGE
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    write(draw, (EDGE, EDGE), f"{study.name}: {one.title}", INK, 18)
    write(draw, (EDGE, EDGE + 24), f"{row.title}; {one.words}", FAINT, 12)
    canvas.paste(charts.convert("RGB"), (EDGE, top))
    y = top + charts.height + 8
    if tiles:
        write(draw, (EDGE, y), "max(0, min(1, Delta / Theta)), one scale for all pairs", FAINT, 12)
        _ramp(canvas, draw, width - EDGE - 34, y + 22)
    for number, (faces, image) in enumerate(tiles):
        x, at = EDGE + number % ACROSS * (block + 24), y + 22 + number // ACROSS * (SIDE + 34)
        for place, face in enumerate(faces):
            canvas.paste(Image.fromarray(face), (x + place * SIDE + (10 if place > 1 else 0), at))
        mark = GENUINE if image["same"] else IMPOSTOR
        draw.rectangle((x, at + SIDE, x + block - 1, at + SIDE + 2), mark)
        said = f"pair {image['pair']}: {'genuine' if image['same'] else 'impostor'}, cosine {image['cosine']:.3f}"
        write(draw, (x, at + SIDE + 6), said, INK, 12)
    return png(canvas)


def _pairs(one: Explained) -> list[tuple[list[np.ndarray], dict[str, Any]]]:
    """(left, right, and both under the map) and the manifest entry; impostor pairs first, as in the paper."""
    keys = {column(image): image for image in one.images}
    columns = chosen(keys, 2 * PAIRS)
    crops, maps, scale = one.crops(), one.maps("normalized"), Scale(0.0, 1.0)
    found = []
    for left, right in zip(columns[::2], columns[1::2], strict=True):
        rows = [one.places[key] for key in (left, right)]
        faces = [heatmap.tile(crops[row], None, scale, SIDE) for row in rows]
        found.append((faces + [heatmap.tile(crops[row], maps[row], scale, SIDE) for row in rows], keys[left]))
    return sorted(found, key=lambda pair: bool(pair[1]["same"]))


def _ramp(canvas: Any, draw: Any, x: int, y: int) -> None:
    canvas.paste(ramp(SIDE, 12, signed=False), (x, y))
    write(draw, (x + 17, y - 5), "1", FAINT, 11)
    write(draw, (x + 17, y + SIDE - 9), "0", FAINT, 11)


def _charts(theta: Mapping[str, Any], width: float) -> bytes:
    """PNG: the histogram of Delta on a logarithmic axis, and the maxima of the reference pairs with a line at Theta."""
    from matplotlib.figure import Figure

    colors = {name: tuple(value / 255 for value in rgb) for name, rgb in (("genuine", GENUINE), ("impostor", IMPOSTOR))}
    figure = Figure((width, CHART), dpi=100)
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.05, right=0.985, top=0.91, bottom=0.24, wspace=0.13)
    for name in ("impostor", "genuine"):
        counts = np.array(theta["histogram"][name], float)
        edges = np.arange(len(counts) + 1) * theta["bin"]
        left.stairs(counts, edges, color=colors[name], fill=True, alpha=0.25, lw=0)
        left.stairs(counts, edges, color=colors[name], lw=1.1, label=f"{name}: {int(counts.sum()):,} pixels")
        maxima = np.sort(np.array(theta["maxima"][name], float))
        right.plot(
            np.arange(1, len(maxima) + 1), maxima, "o" if name == "genuine" else "^", ms=4, color=colors[name], label=name
        )
    left.set(
        yscale="log",
        ylim=(0.7, None),
        xlim=(0, None),
        xlabel=f"Delta, bins of {theta['bin']:g} (below 0 counts as 0)",
        ylabel="pixels",
    )
    left.set_title("Delta at all places of the reference pairs", loc="left", fontsize=10)
    right.set(xlabel="reference pair, by rising maximum", ylabel="largest Delta")
    right.set_title("Largest Delta of each reference pair", loc="left", fontsize=10)
    right.xaxis.get_major_locator().set_params(integer=True)
    right.axhline(theta["value"], color="#222", lw=1, ls="--", label=f"Theta = {theta['value']:.4g}")
    left.axvline(theta["value"], color="#222", lw=1, ls="--", label=f"Theta = {theta['value']:.4g}")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.xaxis.label.set_size(9)
        axes.yaxis.label.set_size(9)
        axes.legend(fontsize=8, frameon=False)
    words = f"Youden {theta['youden']:.3f}, AUC {theta['auc']:.3f}, overlap {100 * theta['overlap']:.0f} % of the pairs"
    right.text(0.0, -0.23, words, transform=right.transAxes, fontsize=8, color="#6e6e76", va="top")
    return figure_png(figure)

"""Pictures of a latent-space study: galleries, strips, animations and scatter plots. Equal inputs give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.figure_png import figure_png

SIDE = 112  # height of a tile in pixels
TEXT, GAP, LEFT = 15, 4, 130  # font size; space between tiles; width of the row titles
COLORS = 10  # distinct colors of classes in a scatter plot


@dataclass(frozen=True, eq=False)
class TileRow:
    """A row of a picture: its title (lines), tiles uint8 (N, H, W, 3), and a caption under each tile or none."""

    title: str
    tiles: np.ndarray
    captions: Sequence[str] = ()


def tiles_png(rows: Sequence[TileRow], heading: str) -> bytes:
    """Rows of tiles with titles on the left."""
    from PIL import Image, ImageDraw, ImageFont

    font, small = ImageFont.load_default(TEXT), ImageFont.load_default(TEXT - 3)
    tile_width = round(SIDE * rows[0].tiles.shape[2] / rows[0].tiles.shape[1])
    width = LEFT + max(len(row.tiles) for row in rows) * (tile_width + GAP)
    width = max(width, round(font.getlength(heading)) + 2 * GAP)
    heights = [SIDE + GAP + (TEXT + 2 if row.captions else 0) for row in rows]
    canvas = Image.new("RGB", (width, TEXT + 12 + sum(heights)), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((GAP, 4), heading, "black", font)
    top = TEXT + 12
    for row, height in zip(rows, heights, strict=True):
        draw.multiline_text((GAP, top + 2), row.title, "black", small)
        for place, tile in enumerate(row.tiles):
            left = LEFT + place * (tile_width + GAP)
            canvas.paste(Image.fromarray(tile).resize((tile_width, SIDE), Image.Resampling.BICUBIC), (left, top))
            if row.captions:
                draw.text((left, top + SIDE + 1), row.captions[place], "black", small)
        top += height
    found = io.BytesIO()
    canvas.save(found, "PNG", optimize=True)
    return found.getvalue()


def animation_gif(frames: np.ndarray, milliseconds: int = 80) -> bytes:
    """An endless GIF of frames uint8 (N, H, W, 3), forward and backward, enlarged to the height of a tile or more."""
    from PIL import Image

    times = max(1, -(-SIDE // frames.shape[1]))
    size = (times * frames.shape[2], times * frames.shape[1])
    still = [Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in frames]
    pictures = [*still, *still[-2:0:-1]]
    found = io.BytesIO()
    pictures[0].save(found, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    return found.getvalue()


@dataclass(frozen=True, eq=False)
class Scatter:
    """One plot: its title, points (N, 2), axis labels, and the value of each point: numbers, or indices into ``classes``."""

    title: str
    points: np.ndarray
    axes: tuple[str, str]
    values: np.ndarray
    classes: tuple[str, ...] | None


def scatter_png(plots: Sequence[Sequence[Scatter]]) -> bytes:
    """A table of plots. Classes have colors and a legend, numbers a color bar; points without a value (-1, NaN) are gray."""
    from matplotlib.figure import Figure

    columns = max(len(row) for row in plots)
    figure = Figure(figsize=(4.6 * columns, 4 * len(plots)), dpi=80, layout="constrained")
    table = figure.subplots(len(plots), columns, squeeze=False)
    for row, line in zip(table, plots, strict=True):
        for place, axis in enumerate(row):
            if place < len(line):
                _plot(figure, axis, line[place])
            else:
                axis.set_axis_off()
    return figure_png(figure)


def _plot(figure: Any, axis: Any, plot: Scatter) -> None:
    from matplotlib import colormaps

    x, y = plot.points.T
    axis.set(title=plot.title, xlabel=plot.axes[0], ylabel=plot.axes[1], xticks=[], yticks=[])
    if plot.classes is None:
        known = np.isfinite(plot.values)
        axis.scatter(x[~known], y[~known], s=9, color="0.8")
        drawn = axis.scatter(x[known], y[known], s=9, c=plot.values[known], cmap="viridis")
        figure.colorbar(drawn, ax=axis, pad=0.01)
        return
    axis.scatter(*plot.points[plot.values < 0].T, s=9, color="0.8")
    palette = colormaps["tab10"]
    for number, name in enumerate(plot.classes):
        of_class = plot.values == number
        if of_class.any():
            axis.scatter(x[of_class], y[of_class], s=9, color=palette(number % COLORS), label=name)
    # beside the points, of which it must cover none
    axis.legend(fontsize="x-small", markerscale=1.6, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)

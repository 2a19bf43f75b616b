"""Matplotlib figures as SVG and PDF for papers, and as SVG whose colors follow the page's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grid.figure_png import literal
from grid.report.text import visible

COLORS = ("#0072b2", "#d55e00", "#009e73", "#b0568c", "#8a6d00", "#3aa0d8", "#6b4fbb", "#4d4d4d")  # those of the page
DASHES = ("-", "--", ":", "-.")
INK, SOFT, LINE = "#1b1c20", "#5d616b", "#e4e5e8"
VARIABLES = {**{color: f"var(--c{number})" for number, color in enumerate(COLORS)},
             INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", "#ffffff": "var(--card)"}  # fmt: skip
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "facegrid", "pdf.fonttype": 42, "font.size": 9, "font.family": "sans-serif",
    "axes.edgecolor": SOFT, "axes.labelcolor": INK, "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "grid.color": LINE, "legend.frameon": False,
    "axes.titlesize": 9, "axes.titlelocation": "left", "legend.fontsize": 8, "figure.facecolor": "none",
    "axes.facecolor": "none", "savefig.facecolor": "none",
}  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A finished figure.

    Attributes:
        name: of its files, without an ending; begins with its ``kind``.
        title: its heading.
        words: what it says or how to read it, in sentences.
        svg: the file.
        figure: of matplotlib.
        protocol: that it is about; empty if it is about none.
    """

    name: str
    title: str
    words: str
    svg: bytes
    figure: Any
    protocol: str = ""

    @property
    def kind(self) -> str:
        """``det``, ``roc``, ``scores``, ...: equal for all figures of one kind."""
        return self.name.partition("-")[0]

    @cached_property
    def pdf(self) -> bytes:
        """The same as PDF, with its fonts; only made when asked for, because it takes as long as the rest."""
        return _saved(self.figure, "pdf", {"CreationDate": None, "Creator": None, "Producer": None})

    @property
    def inline(self) -> str:
        """An ``<svg>`` element for an HTML page; colors are the page's variables."""
        text = self.svg.decode("utf-8")
        text = text[text.index("<svg") :]
        text = re.sub(r' (width|height)="[\d.]+pt"', "", text, count=2)
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'(\bid="|url\(#|href="#)', lambda found: f"{found[1]}{self.name}-", text)
        for color, variable in VARIABLES.items():
            text = text.replace(f": {color}", f": {variable}")
        return text.strip()


def new(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """(figure, axes) in inches, in the style of the report; ``axes`` is an array of (rows, columns)."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **options)


def panels(
    count: int, most: int, size: tuple[float, float], margin: tuple[float, float], **options: Any
) -> tuple[Any, list[Any]]:
    """(figure, axes of ``count`` panels), each of ``size`` in inches, at most ``most`` in a row; ``margin`` is added once."""
    columns = min(most, count)
    rows = -(-count // columns)
    figure, axes = new(size[0] * columns + margin[0], size[1] * rows + margin[1], rows, columns, **options)
    for place in axes.flat[count:]:
        place.set_visible(False)
    return figure, list(axes.flat[:count])


def finish(figure: Any, name: str, title: str, words: str, protocol: str = "") -> Plot:
    """Writes the figure; equal figures give equal bytes. The name begins with the word for its kind."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure.get_layout_engine().execute(figure)
    figure.set_layout_engine("none")  # keeps the layout: it would be computed again for each file
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return Plot(slug, title, words, _saved(figure, "svg", {"Date": None, "Creator": None}), figure, protocol)


def _saved(figure: Any, kind: str, metadata: Mapping[str, Any]) -> bytes:
    """What ``figure.savefig`` writes; that draws every figure twice, which only a layout still to be computed needs."""
    import matplotlib
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    data, canvas, dpi = io.BytesIO(), figure.canvas, figure.dpi
    try:
        with matplotlib.rc_context(STYLE):
            if kind == "pdf":
                FigureCanvasPdf(figure).print_pdf(data, metadata=metadata)
            else:
                FigureCanvasSVG(figure).print_svg(data, metadata=metadata)
    finally:
        figure.set_canvas(canvas)
        figure.dpi = dpi
    return data.getvalue()


def text(name: str) -> str:
    """Text that matplotlib shows as it is: no formulas, no invisible characters."""
    return literal(visible(name))


def stroke(number: int) -> dict[str, Any]:
    """Color and dashes of the n-th series."""
    round_, hue = divmod(number, len(COLORS))
    return {"color": COLORS[hue], "linestyle": DASHES[round_ % len(DASHES)], "linewidth": 1.4}


def legend(figure: Any, axes: Any, names: Sequence[str]) -> None:
    """Below the axes, in as many columns as fit: also on narrow screens, where the figure is scaled down."""
    handles, _ = axes.get_legend_handles_labels()
    columns = max(1, min(3, int(100 / (max(map(len, names), default=1) + 8))))
    figure.legend(
        handles, [text(name) for name in names], loc="outside lower left", ncols=columns, handlelength=2.4, frameon=False
    )

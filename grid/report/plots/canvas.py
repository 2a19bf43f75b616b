"""Matplotlib figures as SVG and PDF for papers, and as SVG whose colors follow the page's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from grid.figure_png import literal
from grid.report.text import visible

COLORS = ("#0072b2", "#d55e00", "#009e73", "#b0568c", "#8a6d00", "#3aa0d8", "#6b4fbb", "#4d4d4d")  # those of the page
DASHES = ("-", "--", ":", "-.")
HANDLE = 0.7  # inches that the line beside a name of a legend takes, with the space around both
INK, SOFT, LINE = "#1b1c20", "#5d616b", "#e4e5e8"
VARIABLES = {**{color: f"var(--c{number})" for number, color in enumerate(COLORS)},
             INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", "#ffffff": "var(--card)"}  # fmt: skip
STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "facegrid", "pdf.fonttype": 42, "font.size": 9, "font.family": "sans-serif",
    "axes.edgecolor": SOFT, "axes.labelcolor": INK, "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "grid.color": LINE, "legend.frameon": False,
    "axes.titlesize": 9, "axes.titlelocation": "left", "legend.fontsize": 9, "figure.facecolor": "none",
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


def text(name: str, most: int | None = None) -> str:
    """Text that matplotlib shows as it is: no formulas, no invisible characters.

    Args:
        most: characters; longer text loses its middle
    """
    shown = visible(name)
    if most is not None and len(shown) > most:
        end = (most - 1) // 2
        shown = f"{shown[: most - 1 - end]}…{shown[len(shown) - end :]}"
    return literal(shown)


@lru_cache(maxsize=4096)
def inches(name: str, points: float) -> float:
    """The width of one line."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text(name), size=points).get_extents().width) / 72 if name.strip() else 0.0


def fitted(name: str, room: float, points: float) -> str:
    """``text`` in one line of at most ``room`` inches."""
    length = len(visible(name))
    most = min(length, int(1.1 * length * room / max(inches(name, points), 1e-6)) + 1)
    while most > 4 and inches(text(name, most), points) > room:
        most -= 1
    return text(name, most)


def wrapped(name: str, room: float, points: float = 9) -> str:
    """``text`` in one or two lines of at most ``room`` inches; what is longer loses its middle."""
    shown = visible(name)
    words, first = shown.split(" "), ""
    while words and inches(f"{first} {words[0]}".strip(), points) <= room:
        first = f"{first} {words.pop(0)}".strip()
    if not words:
        return text(first)
    return "\n".join(fitted(line, room, points) for line in (first, " ".join(words)) if line)


def _panel_width(axes: Any) -> float:
    return float(axes.figure.get_figwidth() / axes.get_gridspec().ncols)


def panel_title(axes: Any, name: str) -> None:
    """The title of a panel, in two lines if need be."""
    axes.set_title(wrapped(name, 0.9 * _panel_width(axes), 8), fontsize=8)


def ticks(axes: Any, names: Sequence[str]) -> None:
    """Levels below the x axis, slanted if they have no room side by side."""
    slanted = max(inches(name, 8) for name in names) + 0.1 > 0.75 * _panel_width(axes) / len(names)
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(range(len(names)), [text(name, 22) for name in names], fontsize=8, **turned)


def stroke(number: int) -> dict[str, Any]:
    """Color and dashes of the n-th series."""
    round_, hue = divmod(number, len(COLORS))
    return {"color": COLORS[hue], "linestyle": DASHES[round_ % len(DASHES)], "linewidth": 1.4}


def legend(figure: Any, axes: Any, names: Sequence[str]) -> None:
    """Below the axes, in as many columns as fit."""
    handles, _ = axes.get_legend_handles_labels()
    whole, size = figure.get_figwidth() - 0.1, STYLE["legend.fontsize"]
    columns = max(1, min(3, int(whole / (HANDLE + max(inches(name, size) for name in names)))))
    labels = [fitted(name, whole - HANDLE, size) for name in names]
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, fontsize=size, handlelength=2.4, frameon=False)

"""A sheet of images as one PNG: labels left, a band of tiles per row, the row's scale right. Equal panels give equal bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid.report.fonts import length, write
from grid.results.heatmap import Scale, colored

TILE = 112  # side of one image in pixels
GAP, APART, LABEL, BAR, HEAD, EDGE = 6, 12, 220, 100, 46, 18
REFUSED = 76  # height of a row without images
FOOT = 18
INK, FAINT, SHADE = (28, 28, 32), (110, 110, 118), (245, 245, 247)
GENUINE, IMPOSTOR = (31, 122, 77), (179, 38, 30)


@dataclass(frozen=True)
class Group:
    """Columns that belong together, such as a pair's two images; ``mark``: whether that pair is genuine."""

    text: str
    span: int
    mark: bool | None = None


@dataclass(frozen=True)
class Band:
    """One row.

    Attributes:
        label: its first line in the text color, the others faint.
        tiles: (columns, TILE, TILE, 3) uint8; None if the method was refused.
        scale: shared by all its colored tiles; None for crops.
        refused: the reason.
        feet: a text below each group of columns; may be empty.
        mark: as in ``Group``, if the row is a pair.
    """

    label: str
    tiles: np.ndarray | None
    scale: Scale | None = None
    refused: str | None = None
    feet: tuple[str, ...] = ()
    mark: bool | None = None


@dataclass(frozen=True)
class Panel:
    """Attributes:
    groups: of the columns, from left to right; their spans sum to the tiles of each band. Empty: columns have no titles.
    """

    title: str
    caption: str
    groups: tuple[Group, ...]
    bands: tuple[Band, ...]


def panel_png(panel: Panel) -> bytes:
    """The sheet as PNG."""
    return png(panel_image(panel))


def png(image: Any) -> bytes:
    """A PIL image as a PNG file."""
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def panel_image(panel: Panel) -> Any:
    """The sheet as a PIL image."""
    from PIL import Image, ImageDraw

    columns = max([4, *(len(band.tiles) for band in panel.bands if band.tiles is not None), sum(g.span for g in panel.groups)])
    lefts = places(panel.groups, columns)
    right = lefts[-1] + TILE
    caption = wrapped(panel.caption, right + BAR - EDGE, 12)
    head = HEAD + 15 * (len(caption) - 1)
    y = EDGE + head + (24 if panel.groups else 0)
    height = y + sum(_height(band) + GAP for band in panel.bands) - GAP + EDGE
    canvas = Image.new("RGB", (right + BAR + EDGE, height), "white")
    draw = ImageDraw.Draw(canvas)
    write(draw, (EDGE, EDGE), panel.title, INK, 18)
    write(draw, (EDGE, EDGE + 23), "\n".join(caption), FAINT, 12, spacing=3)
    spans = _spans(panel.groups, lefts)
    for group, (start, end) in zip(panel.groups, spans, strict=True):
        _head(draw, group, start, end, y - 24)
    for band in panel.bands:
        _label(draw, band, y)
        if band.tiles is None:
            draw.rectangle((lefts[0], y, right - 1, y + REFUSED - 1), SHADE)
            why = wrapped(f"refused: {band.refused}", right - lefts[0] - 24, 13)
            write(draw, (lefts[0] + 12, y + 12), "\n".join(why), FAINT, 13)
        else:
            for left, one in zip(lefts, band.tiles, strict=False):
                canvas.paste(Image.fromarray(one), (left, y))
            for text, (start, end) in zip(band.feet, spans, strict=False):
                write(draw, ((start + end) // 2, y + TILE + 3), text, FAINT, 12, anchor="ma")
            if band.scale is not None:
                _bar(canvas, draw, band.scale, right + 12, y)
        y += _height(band) + GAP
    return canvas


def places(groups: Sequence[Group], columns: int) -> list[int]:
    """Left edges of the columns, with wider gaps between groups of several columns."""
    starts = set(np.cumsum([group.span for group in groups]).tolist()) if any(group.span > 1 for group in groups) else set()
    apart = [APART if number in starts else 0 for number in range(columns)]
    return [EDGE + LABEL + number * (TILE + GAP) + sum(apart[: number + 1]) for number in range(columns)]


def _spans(groups: Sequence[Group], lefts: Sequence[int]) -> list[tuple[int, int]]:
    ends = np.cumsum([group.span for group in groups]).tolist()
    return [(lefts[end - group.span], lefts[end - 1] + TILE) for group, end in zip(groups, ends, strict=True)]


def _height(band: Band) -> int:
    return REFUSED if band.tiles is None else TILE + (FOOT if band.feet else 0)


def _head(draw: Any, group: Group, start: int, end: int, y: int) -> None:
    write(draw, ((start + end) // 2, y + 2), shortened(group.text, end - start, 12), INK, 12, anchor="ma")
    if group.mark is not None:
        draw.rectangle((start, y + 19, end - 1, y + 21), GENUINE if group.mark else IMPOSTOR)


def _label(draw: Any, band: Band, y: int) -> None:
    if band.mark is not None:
        draw.rectangle((EDGE, y, EDGE + 3, y + TILE - 1), GENUINE if band.mark else IMPOSTOR)
    x = EDGE + (12 if band.mark is not None else 0)
    first, *rest = band.label.splitlines() or [""]
    lines = wrapped(first, LABEL - 26, 14)
    write(draw, (x, y + 6), "\n".join(lines), INK, 14, spacing=4)
    small = [part for line in rest for part in wrapped(line, LABEL - 26, 12)]
    room = max(0, _height(band) - 8 - 19 * len(lines)) // 16
    write(draw, (x, y + 9 + 19 * len(lines)), "\n".join(small[:room]), FAINT, 12, spacing=3)


def ramp(height: int, width: int, signed: bool) -> Any:
    """The color map from bottom to top, as a PIL image."""
    from PIL import Image

    found = colored(np.linspace(1, 0, height)[:, None].repeat(width, axis=1), signed)
    return Image.fromarray(np.rint(found).astype(np.uint8))


def _bar(canvas: Any, draw: Any, scale: Scale, x: int, y: int) -> None:
    canvas.paste(ramp(TILE - 16, 12, scale.signed), (x, y + 8))
    write(draw, (x + 17, y + 2), f"{scale.high:.3g}", FAINT, 11)
    if scale.signed:
        write(draw, (x + 17, y + TILE // 2 - 7), "0", FAINT, 11)
    write(draw, (x + 17, y + TILE - 16), f"{scale.low:.3g}", FAINT, 11)


def shortened(text: str, width: int, size: int) -> str:
    """The text, shortened with an ellipsis to fit."""
    while len(text) > 1 and length(text, size) > width:
        text = text[:-2].rstrip() + "…"
    return text


def wrapped(text: str, width: int, size: int) -> list[str]:
    """The text as lines that fit, at least one."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines

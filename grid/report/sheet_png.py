"""A contact sheet as one PNG, for papers and slides."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from grid.report.sheets import TILE, Sheet, Strip, coloured

GAP, LABEL, BAR, HEAD, EDGE = 6, 220, 100, 46, 18
REFUSED = 76  # height of a row without pictures
INK, FAINT = (28, 28, 32), (110, 110, 118)


def sheet_png(sheet: Sheet, study: str) -> bytes:
    """Labels left, one strip per row, its colour bar right. Equal sheets give equal bytes."""
    from PIL import Image, ImageDraw

    columns = max(len(sheet.images), 4)
    width = 2 * EDGE + LABEL + columns * (TILE + GAP) + BAR
    heights = [TILE + GAP for _ in sheet.inputs] + [_height(strip) for strip in sheet.strips]
    picture = Image.new("RGB", (width, 2 * EDGE + HEAD + sum(heights) - GAP), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((EDGE, EDGE), f"{study}: {sheet.title}", INK, _font(18))
    draw.text((EDGE, EDGE + 23), _caption(sheet), FAINT, _font(12))
    y = EDGE + HEAD
    for inputs in sheet.inputs:
        _text(draw, f"input\n{inputs.label.replace('=', ': ')}", y)
        _paste(picture, inputs.tiles, y)
        y += TILE + GAP
    for strip in sheet.strips:
        _text(draw, strip.row.title.replace(", ", "\n").replace("=", ": "), y)
        if strip.tiles is None:
            box = (EDGE + LABEL, y, EDGE + LABEL + columns * (TILE + GAP) - GAP, y + REFUSED - 1)
            draw.rectangle(box, (245, 245, 247))
            reason = _wrapped(f"refused: {strip.refused}", box[2] - box[0] - 24)
            draw.multiline_text((box[0] + 12, y + 12), reason, FAINT, _font(13))
        else:
            _paste(picture, strip.tiles, y)
            _bar(picture, draw, strip, EDGE + LABEL + columns * (TILE + GAP) + 6, y)
        y += _height(strip)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def _height(strip: Strip) -> int:
    return (REFUSED if strip.tiles is None else TILE) + GAP


def _caption(sheet: Sheet) -> str:
    said = [sheet.target, f"layer {', '.join(sheet.layers)}" if sheet.layers else "", "one scale per row"]
    return "; ".join(text for text in said if text)


def _paste(picture: Any, tiles: np.ndarray, y: int) -> None:
    from PIL import Image

    for place, tile in enumerate(tiles):
        picture.paste(Image.fromarray(tile), (EDGE + LABEL + place * (TILE + GAP), y))


def _text(draw: Any, text: str, y: int) -> None:
    lines = [_wrapped(line, LABEL - 14) for line in text.splitlines()]
    draw.multiline_text((EDGE, y + 8), "\n".join(lines), INK, _font(14), spacing=5)


def _bar(picture: Any, draw: Any, strip: Strip, x: int, y: int) -> None:
    from PIL import Image

    ramp = coloured(np.linspace(1, 0, TILE - 16)[:, None].repeat(12, axis=1), strip.signed)
    picture.paste(Image.fromarray(np.rint(ramp).astype(np.uint8)), (x, y + 8))
    draw.text((x + 17, y + 2), f"{strip.high:.3g}", FAINT, _font(11))
    draw.text((x + 17, y + TILE - 16), f"{strip.low:.3g}", FAINT, _font(11))


def _wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and _font(14).getlength(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return "\n".join([*lines, line])


@cache
def _font(size: int) -> Any:
    """The font that matplotlib brings along, so that every machine draws the same letters."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)

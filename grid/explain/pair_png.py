"""One image of two faces: the crops, and below them each method's two maps with one scale. Same facts, same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from grid.report.fonts import length, write
from grid.report.sheets import coloured, overlaid

SIDE = 224  # pixels of a tile's longer side
EDGE, GAP, LABEL, BAR, LINE = 20, 10, 190, 80, 18
INK, FAINT = (28, 28, 32), (110, 110, 118)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One map of the two images, maps (2, h, w) float32, with their one scale from ``low`` to ``high``.

    ``about`` is what stands under the title: the target in words, the layer. ``images``, uint8 (2, H, W, 3), are the method's
    own, where it makes some: they are shown in place of the maps.
    """

    title: str
    about: tuple[str, ...]
    maps: np.ndarray
    signed: bool
    generated: np.ndarray | None = None

    @property
    def high(self) -> float:
        return float(np.abs(self.maps).max())

    @property
    def low(self) -> float:
        return -self.high if self.signed or bool(self.maps.min() < 0) else 0.0


@dataclass(frozen=True)
class Headline:
    """What stands above: the decision, where its threshold is from, and whose decision it is."""

    decision: str
    threshold: str
    network: str


def pair_png(
    head: Headline, crops: np.ndarray, faces: Sequence[Mapping[str, Any]], drawn: Sequence[Drawn], refused: Sequence[str]
) -> bytes:
    """PNG of crops uint8 (2, H, W, 3), of which ``faces`` has ``file``, ``width``, ``height`` and ``found``."""
    from PIL import Image, ImageDraw

    height, width = _tile(crops.shape[1:3])
    total = max(2 * EDGE + LABEL + 2 * (width + GAP) + BAR, 640)
    lines = [line for text in (head.threshold, head.network) for line in _wrapped(text, total - 2 * EDGE, 13)]
    top = EDGE + 32 + LINE * len(lines) + 12
    said = _wrapped(f"refused: {', '.join(refused)}", total - 2 * EDGE, 13) if refused else []
    below = 2 if all(face["found"] for face in faces) else 3
    bottom = top + height + below * LINE + GAP + len(drawn) * (height + GAP) + LINE * len(said) + EDGE
    canvas = Image.new("RGB", (total, bottom), "white")
    draw = ImageDraw.Draw(canvas)
    write(draw, (EDGE, EDGE), head.decision, INK, 22)
    for number, line in enumerate(lines):
        write(draw, (EDGE, EDGE + 32 + LINE * number), line, FAINT, 13)
    y = top
    places = [EDGE + LABEL + side * (width + GAP) for side in (0, 1)]
    write(
        draw,
        (EDGE, y + 4),
        f"what the\nnetwork sees:\n{crops.shape[2]} pixels wide,\n{crops.shape[1]} high",
        INK,
        14,
        spacing=5,
    )
    for x, crop, face in zip(places, crops, faces, strict=True):
        canvas.paste(Image.fromarray(_enlarged(crop, height, width)), (x, y))
        size = f"cut from {face['width']} x {face['height']}"
        write(draw, (x, y + height + 2), _short(Path(face["file"]).name, width, 13), INK, 13)
        write(draw, (x, y + height + 2 + LINE), _short(size, width, 12), FAINT, 12)
        if not face["found"]:
            write(draw, (x, y + height + 2 + 2 * LINE), "NO FACE FOUND", INK, 12)
    y += height + below * LINE + GAP
    for one in drawn:
        title = _wrapped(one.title, LABEL - 14, 14)
        write(draw, (EDGE, y + 4), "\n".join(title), INK, 14, spacing=5)
        about = [line for text in one.about for line in _wrapped(text, LABEL - 14, 12)]
        write(draw, (EDGE, y + 8 + 20 * len(title)), "\n".join(about), FAINT, 12, spacing=4)
        own = one.generated is not None
        for x, crop, raw in zip(places, crops if one.generated is None else one.generated, one.maps, strict=True):
            under = _enlarged(crop, height, width)
            canvas.paste(Image.fromarray(under if own else overlaid(under, raw, one.low, one.high)), (x, y))
            if not own and not raw.any():
                write(draw, (x + 5, y + height - LINE), "zero everywhere", (235, 235, 235), 12)
        if not own:
            _bar(canvas, draw, one, places[1] + width + GAP, y, height)
        y += height + GAP
    for number, line in enumerate(said):
        write(draw, (EDGE, y + LINE * number), line, FAINT, 13)
    data = io.BytesIO()
    canvas.save(data, "PNG")
    return data.getvalue()


def _tile(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a tile: the crop's aspect."""
    height, width = shape
    return round(SIDE * height / max(shape)), round(SIDE * width / max(shape))


def _enlarged(crop: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    smaller = crop.shape[0] > height
    found: np.ndarray = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return found


def _bar(canvas: Any, draw: Any, one: Drawn, x: int, y: int, height: int) -> None:
    from PIL import Image

    ramp = coloured(np.linspace(1, 0, height - 12)[:, None].repeat(14, axis=1), one.low < 0)
    canvas.paste(Image.fromarray(np.rint(ramp).astype(np.uint8)), (x, y + 6))
    write(draw, (x + 20, y), f"{one.high:.3g}", FAINT, 12)
    write(draw, (x + 20, y + height - 16), f"{one.low:.3g}", FAINT, 12)
    if one.low < 0:
        write(draw, (x + 20, y + height // 2 - 8), "0", FAINT, 12)


def _wrapped(text: str, width: int, size: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and length(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _short(text: str, width: int, size: int) -> str:
    """The text, its middle left out where it is too wide."""
    if length(text, size) <= width:
        return text
    keep = len(text)
    while keep > 2 and length(f"{text[: keep // 2]}…{text[-(keep // 2) :]}", size) > width:
        keep -= 1
    return f"{text[: keep // 2]}…{text[-(keep // 2) :]}"

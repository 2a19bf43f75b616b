"""Fonts of the sheets: matplotlib's DejaVu Sans on every machine; for characters that it lacks, a system font."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from grid.report.text import visible


@cache
def lettered(text: str, size: int) -> tuple[str, Any]:
    """(text in drawable form, PIL font): one font that covers every character, if the system has one.

    Otherwise each character missing from DejaVu Sans is written as its code point, such as ``U+732B``.
    """
    text = "\n".join(map(visible, text.split("\n")))
    known = _letters(_dejavu())
    missing = frozenset(letter for letter in text if ord(letter) not in known and letter != "\n")
    if missing and (found := _covering(frozenset(text) - {"\n"})):
        return text, _font(found, size)
    return "".join(f"U+{ord(letter):04X}" if letter in missing else letter for letter in text), _font(_dejavu(), size)


def write(draw: Any, at: tuple[float, float], text: str, color: tuple[int, int, int], size: int, **more: Any) -> None:
    """Draws lines of text with PIL; ``more`` is what ``ImageDraw.multiline_text`` takes."""
    drawn, font = lettered(text, size)
    draw.multiline_text(at, drawn, color, font, **more)


def length(text: str, size: int) -> float:
    """The length of one line, in pixels."""
    drawn, font = lettered(text, size)
    return float(font.getlength(drawn))


@cache
def _dejavu() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


@cache
def _font(path: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@cache
def _covering(letters: frozenset[str]) -> str | None:
    """The file of a system font that covers all these characters."""
    codes = {ord(letter) for letter in letters}
    for path in system_fonts():
        if codes <= _letters(path):
            try:
                _font(path, 12)
            except OSError:  # a bitmap font with one size, such as colored emoji
                continue
            return path
    return None


@cache
def system_fonts() -> tuple[str, ...]:
    """The files of installed fonts, regular ones first. All fonts of one collection cover the same characters."""
    from matplotlib import font_manager

    paths = [path for path in font_manager.findSystemFonts() if Path(path).suffix.lower() in (".ttf", ".otf", ".ttc", ".otc")]
    return tuple(sorted(paths, key=lambda path: ("regular" not in Path(path).name.lower(), path)))


@cache
def _letters(path: str) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError):  # not a font, or an unreadable one
        return frozenset()

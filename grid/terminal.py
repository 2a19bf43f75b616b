"""Console output of commands, and options shared by many of them.

File names, levels and subject names come from users and from data. They are printed as plain text: these consoles interpret no
markup or emoji codes in what they print, and replace control characters by a replacement character. Colored output is only
possible with ``styled``.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import shlex
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

# C0 and C1 control characters except tab and newline, bidirectional controls, line separators, lone surrogates
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
REPLACEMENT = "\ufffd"
PLAIN = {"±": "~", "·": "-", "–": "-", "—": "-", "×": "x", "✓": "x", "≤": "<", "≥": ">"}


class SafeConsole(Console):
    """A console that prints any text safely: no text can control the terminal."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if not segment.control and _UNPRINTABLE.search(segment.text):
                yield Segment(printable(segment.text), segment.style)
            else:
                yield segment


out = SafeConsole(width=None if sys.stdout.isatty() else 110)  # a file or pipe has no width
err = SafeConsole(stderr=True, soft_wrap=True)

Address = Annotated[str | None, typer.Option(help="address of a Ray cluster: auto, or its head, such as host:6379")]
AsJson = Annotated[bool, typer.Option("--json", help="print the result as JSON")]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", readable=False, help="a study's folder, such as studies/demo")]


def _rate(value: float) -> float:
    if not 0 < value < 1:
        raise typer.BadParameter(f"a false match rate is between 0 and 1, such as 0.001; found {value:g}")
    return value


FalseMatchRate = Annotated[float, typer.Option("--fmr", callback=_rate, help="false match rate of the threshold")]
WhereText = Annotated[
    list[str] | None, typer.Option("--where", metavar="AXIS=LEVEL,...", help="only the cells with these levels")
]


def answer(facts: Any, as_json: bool, lines: Iterable[RenderableType]) -> None:
    """Prints the result of a command: as JSON, or as lines. A terminal wraps long lines, which files and pipes get whole."""
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for line in lines:
        out.print(line, soft_wrap=isinstance(line, str | Text))


def printable(text: str) -> str:
    """``text`` with every control character replaced that a terminal would interpret."""
    return _UNPRINTABLE.sub(REPLACEMENT, text)


def one_line(text: str, most: int = 160) -> str:
    """``text`` with each run of white space as one blank, and an ellipsis for what is beyond ``most`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def styled(template: str, *values: object) -> Text:
    """``styled("[red]failed[/] {}: {}", title, error)``: rich markup is interpreted in the template but not in the values."""
    text = Text.from_markup(template, emoji=False)
    places = [offset for place in re.finditer(re.escape("{}"), text.plain) for offset in place.span()]
    found = Text()
    for number, part in enumerate(text.divide(places)):
        if number % 2:  # a placeholder; its value takes the style at that position
            value = Text(str(values[number // 2]))
            for span in part.spans:
                value.stylize(span.style)
            part = value
        found.append_text(part)
    return found


def degrade_output() -> None:
    """Makes stdout and stderr replace characters missing from their encoding (ASCII, Latin-1) instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="facegrid-degrade")


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """One ASCII character for each missing one, so that table columns stay aligned."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(one) or _base(one) for one in lacking), error.end


def _base(character: str) -> str:
    base = unicodedata.normalize("NFKD", character)[0]
    return base if base.isascii() and base.isprintable() else "?"


codecs.register_error("facegrid-degrade", _degrade)


def command(*words: object) -> str:
    """A command to copy, such as ``facegrid ui 'studies/first try'``: words are quoted for a POSIX shell where they must be."""
    return shlex.join(map(str, words))


def counted(number: int, word: str) -> str:
    """``1 cell``, ``3 cells``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def clock_words(seconds: float) -> str:
    """``1:05:09``, ``5:09``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

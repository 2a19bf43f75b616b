"""Names from users and data reach the terminal as text: no escape sequence, no markup, no character that cannot be printed."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table
from rich.text import Text

from grid.terminal import REPLACEMENT, SafeConsole, answer, command, printable, styled

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = {
    "escape sequence": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;mine\x07",
    "C1 sequence": "\x9b31mred",
    "cursor": "\x1b[2J\x1b[H",
    "backspace": "abc\x08\x08\x08xyz",
    "carriage return": "wrong\rright",
    "null": "a\x00b",
    "right to left": "a\u202egpj.exe",
    "isolate": "a\u2066b\u2069",
    "line separator": "a\u2028b",
    "surrogate": "a\udcffb",
}
MARKUP = ("[bold]", "[/bold]", "[/]", "[red]x[/red]", "[link=http://x]y[/link]", "a[1]", "\\[bold]", ":smile:", "tail\\")


def shown(*what: object, **settings: object) -> str:
    file = io.StringIO()
    SafeConsole(file=file, width=200, **settings).print(*what)
    return file.getvalue()


def tables(text: str) -> Table:
    table = Table(box=None)
    table.add_column(text)
    table.add_row(text)
    return table


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("make", [str, Text, tables, lambda text: Group(Text(text), tables(text))])
def test_no_control_character_reaches_the_terminal(text: str, make: object) -> None:
    said = shown(make(text), force_terminal=True, color_system=None)  # type: ignore[operator]
    left = [character for character in said if not character.isprintable() and character != "\n"]
    assert left == []
    assert said.encode()


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("make", [str, Text, tables, lambda text: styled("{}", text), lambda text: styled("[dim]{}[/]!", text)])
def test_markup_in_names_is_text(text: str, make: object) -> None:
    assert text in shown(make(text))  # type: ignore[operator]


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])), st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_only_the_template_is_styled(one: str, two: str) -> None:
    found = styled("[red]failed[/] {}: {}", one, two)
    assert found.plain == f"failed {one}: {two}"
    assert styled("[red]{}[/]{}", one, two).plain == one + two
    assert [(span.start, span.end, str(span.style)) for span in found.spans] == [(0, 6, "red")]


def test_colors_are_still_printed() -> None:
    assert "\x1b[31mfailed\x1b[0m it" in shown(styled("[red]failed[/] {}", "it"), force_terminal=True, color_system="standard")


@given(st.text())
def test_printable_text_stays_and_is_of_the_same_length(text: str) -> None:
    found = printable(text)
    assert len(found) == len(text)
    assert all(one == other or other == REPLACEMENT for one, other in zip(text, found, strict=True))
    assert printable(found) == found


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252:strict"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=lambda environment: " ".join(f"{key}={value}" for key, value in environment.items()),
)
@pytest.mark.parametrize("stream", ["out", "err"])
def test_output_degrades_where_the_encoding_lacks_characters(environment: dict[str, str], stream: str) -> None:
    program = (
        "from grid.terminal import degrade_output, err, out, styled\n"
        "degrade_output()\n"
        f"{stream}.print(styled('{{}}', {'report ± · 顔 é ' + chr(0xDCFF) + ' end'!a}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**environment}, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = done.stdout if stream == "out" else done.stderr
    assert said.replace("±".encode("cp1252"), b"~").replace(b"\xb7", b"-").replace(b"\xe9", b"e") == b"report ~ - ? e ? end\n"


def test_an_answer_is_valid_json_or_whole_lines_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    facts, lines = {"file": "a b/" * 200}, iter(["word " * 100, Text("x" * 500)])
    answer(facts, True, lines)
    assert json.loads(capsys.readouterr().out) == facts
    answer(facts, False, lines)
    assert capsys.readouterr().out.splitlines() == [("word " * 100), "x" * 500]


def test_commands_to_copy_are_quoted_where_a_shell_needs_it() -> None:
    assert command("facegrid", "ui", Path("studies/demo")) == "facegrid ui studies/demo"
    assert command("facegrid", "ui", Path("first try/it's")) == """facegrid ui 'first try/it'"'"'s'"""

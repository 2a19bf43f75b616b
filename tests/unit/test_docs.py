"""What the documents show exists: links, images, commands, options, grid files, examples."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from grid.cli.main import app
from grid.spec.grid_file import BadInput, read

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(facegrid [^`]*)`")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(path.read_text(encoding="utf-8")) if kind == language]


def links(path: Path) -> list[str]:
    prose = BLOCK.sub("", path.read_text(encoding="utf-8"))
    return [link for link in LINK.findall(prose) if not link.startswith(("http://", "https://", "#"))]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    prose = BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE)]
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def commands(path: Path) -> list[str]:
    """Every call of facegrid in shell blocks and in running text."""
    text = path.read_text(encoding="utf-8")
    shown = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
    shown += [" ".join(call.split()) for call in INLINE.findall(BLOCK.sub("", text))]
    return [line[line.index("facegrid ") :] for line in shown if re.match(r"(PYTHONPATH=\S+ )?(\S*/)?facegrid ", line)]


@functools.cache
def program() -> click.Command:
    return typer.main.get_command(app)


def complaint(call: str) -> str | None:
    """What is wrong with a call: its command, an option, or the number of arguments."""
    words = shlex.split(call, comments=True)[1:]
    place = program()
    while hasattr(place, "commands") and words and not words[0].startswith("-"):
        if words[0] not in place.commands:
            return f"no command {words[0]!r}"
        place = place.commands[words.pop(0)]
    options = {option for parameter in place.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "-h",
        "--help",
    }
    for word in words:
        if word.startswith("-") and word.split("=")[0] not in options:
            return f"no option {word!r}"
    return None


def grids() -> list[tuple[str, str]]:
    found = [(name(path), text) for path in DOCS for text in blocks(path, "yaml")]
    return [(where, text) for where, text in found if re.search(r"^name:", text, re.M) and re.search(r"^base:", text, re.M)]


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_every_relative_link_and_image_resolves(path: Path) -> None:
    broken = [link for link in links(path) if not (path.parent / link.partition("#")[0]).exists()]
    assert not broken, f"{name(path)}: {broken}"


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_every_anchor_names_a_heading(path: Path) -> None:
    found = LINK.findall(BLOCK.sub("", path.read_text(encoding="utf-8")))
    parts = [link.partition("#") for link in found if "#" in link and "://" not in link]
    pages = [(path.parent / file if file else path, anchor) for file, _, anchor in parts]
    broken = [f"{page.name}#{anchor}" for page, anchor in pages if page.suffix == ".md" and anchor not in anchors(page)]
    assert not broken, f"{name(path)}: {broken}"


def test_anchors_are_those_of_the_headings(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# LFW, all pairs\n```sh\n# no heading\n```\n## `demo_small`: A cell\n### See [this](that.md)\n")
    assert anchors(page) == {"lfw-all-pairs", "demo_small-a-cell", "see-this"}


def test_every_page_is_in_the_navigation() -> None:
    shown = set(re.findall(r"([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    assert {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} <= shown


@pytest.mark.parametrize("path", DOCS, ids=name)
def test_every_command_shown_exists(path: Path) -> None:
    wrong = {call: found for call in commands(path) if (found := complaint(call))}
    assert not wrong, f"{name(path)}: {wrong}"


def test_commands_are_found_in_the_documents() -> None:
    assert sum(len(commands(path)) for path in DOCS) > 20
    assert complaint("facegrid paln x.yaml") == "no command 'paln'"
    assert complaint("facegrid plan x.yaml --jsn") == "no option '--jsn'"
    assert complaint("facegrid data check lfw root=x --json  # comment") is None


def test_the_readme_shows_every_command() -> None:
    group = program()
    shown = " ".join(commands(ROOT / "README.md"))
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    missing = [command for command in group.commands if f"facegrid {command}" not in shown]
    assert not missing


def leaves(place: Any, path: str = "") -> dict[str, Any]:
    """Every command below a group, by its words, such as ``study make``."""
    if not hasattr(place, "commands"):
        return {path: place}
    return {
        words: command
        for name, below in place.commands.items()
        for words, command in leaves(below, f"{path} {name}".strip()).items()
    }


def test_running_names_the_commands_without_json() -> None:
    lines = (ROOT / "docs/running.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith("| `--json` |"))
    without = {
        words
        for words, command in leaves(program()).items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert set(re.findall("`([^`]+)`", row.partition("all commands but")[2])) == without


@pytest.mark.parametrize(("where", "text"), grids(), ids=[where for where, _ in grids()])
def test_every_grid_shown_is_read(where: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    grid = read(file)
    assert grid.spec.axes


def test_a_grid_with_an_unknown_key_would_be_noticed(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text(grids()[0][1] + "\nprotocls: []\n")
    with pytest.raises(BadInput, match="protocls"):
        read(file)

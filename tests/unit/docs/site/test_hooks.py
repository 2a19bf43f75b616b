"""How pages of the site are made; that the build fails on warnings."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[4] / "docs/site/hooks.py"
SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    found = importlib.util.spec_from_file_location("site_hooks", FILE)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<td>0.905 [0.867, 0.936]</td>", f"<td>0.905 [0.867,{SPACE}0.936]</td>"),
        ("<td>−1.12 [−3.61, +1.36]</td>", f"<td>−1.12 [−3.61,{SPACE}+1.36]</td>"),
        ("<td>-22.3 [-36.6, -8.1]</td>", f"<td>-22.3 [-36.6,{SPACE}-8.1]</td>"),
        ("<p>at 0.1 %, or 10 %.</p>", f"<p>at 0.1{SPACE}%, or 10{SPACE}%.</p>"),
        ("<p>[one, two] of them</p>", "<p>[one, two] of them</p>"),
        ("<p>[0.358,\n0.537] of 90\n%</p>", f"<p>[0.358,{SPACE}0.537] of 90{SPACE}%</p>"),
    ],
)
def test_an_interval_and_a_percentage_are_not_broken(hooks: ModuleType, html: str, expected: str) -> None:
    assert hooks.on_page_content(html, None, None, None) == expected


def test_code_on_a_page_keeps_its_spaces(hooks: ModuleType) -> None:
    html = '<pre><span>x = [1, 2]</span>\n10 %</pre><p><code class="y">[0.9, 0.999]</code> and [1, 2]</p>'
    expected = html.replace("and [1, 2]", f"and [1,{SPACE}2]")
    assert hooks.on_page_content(html, None, None, None) == expected


def test_arguments_become_a_list_whose_defaults_are_no_links(hooks: ModuleType) -> None:
    said = hooks.prose(
        "Erases.\n\nArguments:\n    side: tuple[float, float] [default: (0.1, 0.4)]: of it\n    fill: str\n\nThe end."
    )
    assert said.splitlines() == [
        *("Erases.", "", "", "Arguments:", ""),
        "* `side`: tuple[float, float] \\[default: (0.1, 0.4)]: of it",
        *("* `fill`: str", "", "The end."),
    ]


def test_a_component_shows_its_call_once(hooks: ModuleType) -> None:
    page = hooks.components("augmentations")
    assert page.count("Blur(") == 1
    assert "## Blur\n\n```python\nfg.augmentations.Blur(\n" in page
    assert "* `sigma`: tuple[float, float]" in page


def test_make_docs_fails_on_warnings() -> None:
    recipe = next(
        line for line in (FILE.parents[2] / "Makefile").read_text(encoding="utf-8").splitlines() if "mkdocs build" in line
    )
    assert "--strict" in recipe
    assert "quiet" not in recipe  # it would drop the warnings that --strict counts

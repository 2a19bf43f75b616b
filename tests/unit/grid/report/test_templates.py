import base64
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

from grid.report.templates import data_url, environment


def test_text_is_escaped_and_control_characters_are_visible_but_markup_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("{{ text }}|{{ markup }}|{{ number }}")
    shown = environment(tmp_path).get_template("a.html").render(text="<b>\x1b", markup=Markup("<i>"), number=3)
    assert shown == "&lt;b&gt;\\x1b|<i>|3"


def test_a_missing_value_raises(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("{{ absent }}")
    with pytest.raises(jinja2.UndefinedError, match="absent"):
        environment(tmp_path).get_template("a.html").render()


def test_a_picture_is_read_back_from_its_url() -> None:
    head, _, body = data_url(b"\x89PNG\x00\xff").partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == b"\x89PNG\x00\xff"

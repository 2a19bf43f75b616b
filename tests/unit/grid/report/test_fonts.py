import numpy as np
import pytest

from grid.report import fonts
from grid.report.fonts import length, lettered, write


def drawn(text):
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (300, 40), "white")
    write(ImageDraw.Draw(canvas), (4, 4), text, (0, 0, 0), 16)
    return np.asarray(canvas)


@pytest.fixture
def no_other_fonts(monkeypatch):
    """A machine on which no fonts are installed."""
    for cached in (fonts.lettered, fonts._covering):
        cached.cache_clear()
    monkeypatch.setattr(fonts, "system_fonts", lambda: ())
    yield
    for cached in (fonts.lettered, fonts._covering):
        cached.cache_clear()


def test_plain_letters_are_drawn_with_the_font_that_every_machine_has():
    text, font = lettered("Mean face ÄŽΩ", 12)
    assert text == "Mean face ÄŽΩ"
    assert font.getname()[0] == "DejaVu Sans"


@pytest.mark.usefixtures("no_other_fonts")
@pytest.mark.parametrize(("text", "shown"), [("猫 1", "U+732B 1"), ("네이버", "U+B124U+C774U+BC84"), ("a🙂", "aU+1F642")])
def test_letters_that_no_font_has_are_written_as_their_numbers(text, shown):
    assert lettered(text, 12)[0] == shown
    assert length(text, 12) == pytest.approx(lettered(shown, 12)[1].getlength(shown))


@pytest.mark.usefixtures("no_other_fonts")
def test_two_names_that_dejavu_lacks_look_different():
    """They were equal boxes."""
    assert (drawn("猫") != drawn("犬")).any()


def test_a_font_of_the_system_is_taken_where_it_has_every_letter():
    fonts.lettered.cache_clear()
    if not fonts._covering(frozenset("猫犬a")):
        pytest.skip("no font with Chinese characters (Debian: apt-get install fonts-noto-cjk)")
    text, font = lettered("猫犬a", 16)
    assert text == "猫犬a"
    assert font.getname()[0] != "DejaVu Sans"
    assert (drawn("猫") != drawn("犬")).any()


def test_control_characters_are_written_out_and_lines_stay():
    assert lettered("a\x1b[31m\nb\u202ec", 12)[0] == "a\\x1b[31m\nb\\u202ec"
    assert (drawn("one\ntwo") != drawn("one two")).any()

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.lines import numbered_lines, raw_lines, read_text, shown, whole


def test_lines_have_numbers_and_any_ends(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes(b"one\r\n\r\n  two \rthree\n")
    assert numbered_lines(file) == [(1, "one"), (3, "two"), (4, "three")]
    assert list(raw_lines(file)) == [(1, "one"), (3, "  two "), (4, "three")]


def test_a_byte_order_mark_is_no_text(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes(b"\xef\xbb\xbfone")
    assert read_text(file) == "one"


def test_only_line_ends_end_lines(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("a\x0cb\x85c\u2028d\n", encoding="utf-8")
    assert len(numbered_lines(file)) == 1


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "the list is empty"),
        (b" \n\t\n", "the list is empty"),
        (b"a\nJos\xe9\n", "line 2: the byte 0xe9 is not UTF-8"),
        ("a".encode("utf-16"), "line 1: the text is UTF-16"),
        (b"a\r\nb\rc\n\0", "line 4: a zero byte"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, data, error):
    file = tmp_path / "list.txt"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=rf"list\.txt.*{error}"):
        numbered_lines(file)


def test_an_absent_list_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.txt: cannot be read \(No such file"):
        numbered_lines(tmp_path / "none.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["a", "", " ", " b ", "c\td"]), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_numbers_are_those_of_a_naive_split(tmp_path, lines, end):
    file = tmp_path / "list.txt"
    file.write_bytes(end.join(lines).encode())
    assert list(raw_lines(file)) == [(place, line) for place, line in enumerate(lines, 1) if line]


def test_long_text_is_cut():
    assert shown("x" * 200) == repr("x" * 80 + "...")
    assert shown("é") == "'é'"


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), ("007", 7), ("", None), ("-1", None), ("1.0", None), ("٣", None), ("²", None)]
)
def test_whole_numbers_are_plain_digits(text, number):
    assert whole(text) == number

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.lfw import read_list
from datamodules.list_readers.pair_list import _READERS, read_pairs

LAYOUTS = sorted(_READERS)


def put(folder, text, name="list.txt"):
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg b.jpg 1\na.jpg c.jpg 0\n",
        "a.jpg\tb.jpg\t1\na.jpg\tc.jpg\t-1",
        "path1,path2,same\r\na.jpg,b.jpg,1\r\n\r\na.jpg,c.jpg,0",
    ],
)
def test_label_last_with_blanks_tabs_or_commas(tmp_path, text):
    found = read_pairs(put(tmp_path, text), "path_path_label", folds=1)
    assert (found.left, found.right, found.same) == (("a.jpg", "a.jpg"), ("b.jpg", "c.jpg"), (True, False))


def test_label_first(tmp_path):
    found = read_pairs(put(tmp_path, "1 a b\n0 c d\n"), "label_path_path", folds=1, prefix="x/", suffix=".png")
    assert (found.left, found.right, found.same, found.line) == (
        ("x/a.png", "x/c.png"),
        ("x/b.png", "x/d.png"),
        (True, False),
        (1, 2),
    )


def test_names_may_hold_blanks_between_tabs(tmp_path):
    found = read_pairs(put(tmp_path, "a a.jpg\tb, b.jpg\t1\na a.jpg\t./c.jpg\t0"), "path_path_label", folds=1)
    assert found.right == ("b, b.jpg", "c.jpg")


def test_blocks_follow_the_order_of_the_list(tmp_path):
    text = "".join(f"a{i} b{i} {i % 2}\n" for i in range(40))
    assert read_pairs(put(tmp_path, text), "path_path_label").fold == tuple(i // 4 for i in range(40))


def test_kinds_spread_genuine_and_impostor_pairs_over_the_folds(tmp_path):
    text = "".join(f"a{i} b{i} {int(i < 20)}\n" for i in range(40))
    file = put(tmp_path, text)
    assert read_pairs(file, "path_path_label", order="kinds").fold == tuple(i % 20 // 2 for i in range(40))
    with pytest.raises(ValueError, match=r"list\.txt: fold 1 of 10 has no impostor pair; `order: kinds`"):
        read_pairs(file, "path_path_label")


def test_calfw_numbers_the_folds_of_its_genuine_pairs(tmp_path):
    lines = [f"G{i}_0001.jpg {i // 3 + 1}\nG{i}_0002.jpg {i // 3 + 1}" for i in range(30)]
    lines += [f"A{i}_0001.jpg 0\nB{i}_0001.jpg 0" for i in range(20)]
    found = read_pairs(put(tmp_path, "\n".join(lines)), "two_lines_label")
    assert found.fold == tuple(i // 3 for i in range(30)) + tuple(i // 2 for i in range(20))
    assert found.same == (True,) * 30 + (False,) * 20
    assert found.line[:2] == (1, 3)


def test_cplfw_says_only_one_or_zero(tmp_path):
    lines = [f"G{i}_1.jpg 1\nG{i}_2.jpg 1\nA{i}_1.jpg 0\nB{i}_1.jpg 0" for i in range(20)]
    found = read_pairs(put(tmp_path, "\n".join(lines)), "two_lines_label", order="kinds")
    assert found.fold == tuple(i // 4 for i in range(40))


def test_sllfw_has_two_lines_a_pair_and_the_subjects_tell_the_kind(tmp_path):
    found = read_pairs(
        put(tmp_path, "Ada/Ada_0001.jpg\nAda/Ada_0002.jpg\nAda/Ada_0001.jpg\nBob/Bob_0003.jpg\n"), "two_lines_subject", 1
    )
    assert (found.left, found.same) == (("Ada/Ada_0001.jpg", "Ada/Ada_0001.jpg"), (True, False))


@pytest.mark.parametrize("head", ["", "1{0}1\n", "1\n"])
@pytest.mark.parametrize("mark", ["\t", ",", " \t ", ", "])
def test_names_in_the_lfw_layout_may_hold_blanks_between_tabs_or_commas(tmp_path, mark, head):
    body = "Ann van Lee{0}1{0}2\nAnn van Lee{0}1{0}Bo Y{0}3\n"
    found = read_pairs(put(tmp_path, (head + body).format(mark)), "lfw", folds=1)
    assert found.left == ("Ann van Lee/Ann van Lee_0001.jpg",) * 2
    assert found.right == ("Ann van Lee/Ann van Lee_0002.jpg", "Bo Y/Bo Y_0003.jpg")
    assert found.same == (True, False)


def test_the_lfw_layout_needs_no_first_line(tmp_path):
    body = "Ada 1 2\nAda 1 Bob 1\nBob 1 2\nBob 2 Ada 1\n"
    plain = read_pairs(put(tmp_path, body), "lfw", folds=2)
    announced = read_pairs(put(tmp_path, "2 1\n" + body), "lfw", suffix=".png")
    assert plain.fold == announced.fold == (0, 0, 1, 1)
    assert plain.left[0] == "Ada/Ada_0001.jpg"
    assert announced.left[0] == "Ada/Ada_0001.png"


def test_the_lfw_layout_gives_what_the_lfw_reader_gives(shared):
    root = shared / "data" / "lfw"
    mine, theirs = read_pairs(root / "pairs.txt", "lfw"), read_list(root, "view2")
    assert mine == theirs
    mine, theirs = read_pairs(root / "pairsDevTest.txt", "lfw", order="kinds"), read_list(root, "view1_test")
    assert mine == theirs


@pytest.mark.parametrize(
    ("layout", "text", "error"),
    [
        ("lfw", "2 1\nAda 1 2\n", r"line 1: announces 2 x \(1 genuine \+ 1 impostor\) pairs, found 1 lines"),
        ("lfw", "1 1\nAda 1 2\nAda 1 3\n", "line 3: expected an impostor pair, found a genuine one"),
        ("lfw", "1 1\nAda 1 Bob 2\nAda 1 3\n", "line 2: expected a genuine pair, found an impostor one"),
        ("lfw", "0 1\n", "line 1: announces 0 1"),
        ("lfw", "Ada 1 2\nAda 1 x\n", r"line 2: expected \(subject"),
        ("lfw", "Ada 1 2\nAda 1 0\n", r"line 2: expected \(subject"),
        ("lfw", "Ada 1 2\nAda 1 Ada 3\n", "line 2: an impostor pair of one subject, Ada"),
        ("lfw", "Ada\t1\t2\nAda\t1\t\t1\n", "line 2: '' is no subject's folder"),
        ("lfw", "Ada 1 2\nAda 1 ../Bob 1\n", "line 2: '../Bob' is no subject's folder"),
        ("lfw", "Ada 1 2\n.Bob 1 2\n", "line 2: '.Bob' is no subject's folder"),
        ("path_path_label", "a b 1\na c\n", "line 2: expected path path label"),
        ("path_path_label", "a b 1\na c 2\n", "line 2: expected path path label with a label of 0, 1 or -1, found 'a c 2'"),
        ("path_path_label", "a,b,1\na c 0\n", "line 2: expected"),
        ("path_path_label", "a b 1\na a 0\n", "line 2: compares the image a with itself"),
        ("path_path_label", "a b 1\na c 1\n", "none of its 2 pairs is impostor"),
        ("path_path_label", "a b 0\n", "none of its 1 pairs is genuine"),
        ("label_path_path", "1 a b\na b 1\n", "line 2: expected label path path"),
        ("two_lines_label", "a 1\nb 1\nc 0\n", r"line 3: the last image has none to be compared with \(3 lines\)"),
        ("two_lines_label", "a 1\nb 0\n", "line 2: the pair of line 1 has two labels, 1 and 0"),
        ("two_lines_label", "a 1\nb\n", "line 2: expected an image and a label"),
        ("two_lines_label", "a 2\nb 2\nc 0\nd 0", r"folds of its genuine pairs are numbered \[2\]"),
        ("two_lines_subject", "a/1.jpg\nb.jpg\n", "line 2: expected subject/image"),
        ("two_lines_subject", "a/1.jpg\na/2.jpg\na/1.jpg", "line 3: the last image"),
        ("path_path_label", b"a b 1\nJos\xe9 b 0\n", "line 2: the byte 0xe9 is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, layout, text, error):
    with pytest.raises(ValueError, match=rf"list\.txt.*{error}"):
        read_pairs(put(tmp_path, text), layout, folds=1)


pieces = st.sampled_from(
    ["Ada", "1", "0", "2", "-1", " ", "\t", ",", "\n", "\r\n", "a/b.jpg", "./", "é", "\ufeff", "10 300", "same", "\0", "\x85"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400, deadline=None)
@given(st.sampled_from(LAYOUTS), st.one_of(st.lists(pieces, max_size=40).map("".join).map(str.encode), st.binary(max_size=60)))
def test_any_text_gives_pairs_or_an_error_that_names_the_file(tmp_path, layout, data):
    try:
        found = read_pairs(put(tmp_path, data), layout, folds=1, order="kinds")
    except ValueError as error:
        found = str(error)
    if isinstance(found, str):
        assert "list.txt" in found
    else:
        assert set(found.same) == {True, False}
        assert len({len(found.left), len(found.right), len(found.same), len(found.fold), len(found.line)}) == 1


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\t\r\n", exclude_categories=("Zs", "Zl", "Zp", "Cc")),
    min_size=1,
    max_size=8,
)
rows = st.lists(st.tuples(names, names, st.booleans()).filter(lambda row: row[0] != row[1]), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(rows.filter(lambda found: len({same for _, _, same in found}) == 2), st.sampled_from(["\n", "\r\n"]))
def test_no_pair_is_lost(tmp_path, written, end):
    text = end.join(f"x{left}\tx{right}\t{int(same)}" for left, right, same in written)
    found = read_pairs(put(tmp_path, text), "path_path_label", folds=1)
    assert list(zip(found.left, found.right, found.same, strict=True)) == [(f"x{a}", f"x{b}", same) for a, b, same in written]

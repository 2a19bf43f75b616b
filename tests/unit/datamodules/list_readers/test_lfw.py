import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.lfw import image_key, read_list

VIEW2 = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nBob\t1\t3\nBob\t2\tAda\t2\n"


def test_view_2_alternates_genuine_and_impostor_blocks(tmp_path):
    (tmp_path / "pairs.txt").write_text(VIEW2)
    found = read_list(tmp_path, "view2")
    assert found.left == ("Ada/Ada_0001.jpg", "Ada/Ada_0001.jpg", "Bob/Bob_0001.jpg", "Bob/Bob_0002.jpg")
    assert found.right == ("Ada/Ada_0002.jpg", "Bob/Bob_0003.jpg", "Bob/Bob_0003.jpg", "Ada/Ada_0002.jpg")
    assert found.same == (True, False, True, False)
    assert found.fold == (0, 0, 1, 1)
    assert found.line == (2, 3, 4, 5)
    assert found.subjects() == {"Ada", "Bob"}
    assert found.places()["Bob/Bob_0003.jpg"] == 3


def test_blank_lines_and_windows_line_ends_do_not_matter(tmp_path):
    (tmp_path / "pairs.txt").write_bytes(VIEW2.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    found = read_list(tmp_path, "view2")
    assert len(found.left) == 4


@pytest.mark.parametrize("mark", ["\t", ",", " , "])
def test_names_may_hold_blanks_between_tabs_or_commas(tmp_path, mark):
    text = f"1{mark}1\nAda de Luz{mark}1{mark}2\nAda de Luz{mark}1{mark}Bo Y{mark}3\n"
    (tmp_path / "pairs.txt").write_text(text)
    found = read_list(tmp_path, "view2")
    assert found.left == ("Ada de Luz/Ada de Luz_0001.jpg",) * 2
    assert found.right == ("Ada de Luz/Ada de Luz_0002.jpg", "Bo Y/Bo Y_0003.jpg")
    (tmp_path / "pairsDevTest.txt").write_text(text.partition(mark)[2])
    assert read_list(tmp_path, "view1_test").right == found.right


def test_lines_of_one_list_may_be_separated_in_different_ways(tmp_path):
    (tmp_path / "pairs.txt").write_text("1 2\nAda\t1\t2\nAda 1 3\nAda,1,Bob Y,3\nAda 1 Bob 3\n")
    found = read_list(tmp_path, "view2")
    assert found.right[1:] == ("Ada/Ada_0003.jpg", "Bob Y/Bob Y_0003.jpg", "Bob/Bob_0003.jpg")


@pytest.mark.parametrize("size", [3, 10, 25])
def test_view_1_gets_folds_with_as_many_genuine_as_impostor_pairs(tmp_path, size):
    genuine = [f"P{i}\t1\t2" for i in range(size)]
    impostor = [f"P{i}\t1\tQ{i}\t1" for i in range(size)]
    (tmp_path / "pairsDevTest.txt").write_text("\n".join([str(size), *genuine, *impostor]))
    found = read_list(tmp_path, "view1_test")
    assert set(found.fold) == set(range(min(size, 10)))
    for fold in set(found.fold):
        kinds = [same for same, place in zip(found.same, found.fold, strict=True) if place == fold]
        assert sum(kinds) * 2 == len(kinds)
    assert found.fold[:size] == tuple(sorted(found.fold[:size]))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the list is empty"),
        ("2\nAda 1 2\n", "line 1: expected the numbers of folds and of pairs, found '2'"),
        ("1 2\nAda 1 2\nAda 1 Bob 1\n", r"line 1: announces 1 x \(2 genuine \+ 2 impostor\) pairs, found 2 lines"),
        ("1 1\nAda 1\nAda 1 Bob 1\n", "line 2: expected a genuine pair .* found 'Ada 1'"),
        ("1 1\nAda 1 2\nAda 1 2\n", "line 3: expected an impostor pair .* found 'Ada 1 2'"),
        ("1 1\nAda 1 x\nAda 1 Bob 1\n", "line 2: expected a genuine pair"),
        ("1 1\nAda 1 0\nAda 1 Bob 1\n", "line 2: expected a genuine pair"),
        ("1 1\nAda 1 1\nAda 1 Bob 1\n", "line 2: compares the image Ada/Ada_0001.jpg with itself"),
        ("1 1\nAda 1 2\nAda 1 Ada 2\n", "line 3: an impostor pair of one subject, Ada"),
        (f"1 1\nAda 1 {'9' * 5000}\nAda 1 Bob 1\n", "line 2: expected a genuine pair"),
        (f"1 {'9' * 5000}\nAda 1 2\nAda 1 Bob 1\n", "line 1: expected the numbers of folds and of pairs"),
        ("1 1\nAda \u0663 2\nAda 1 Bob 1\n", "line 2: expected a genuine pair"),
        ("1 1\nAda\t1\t2\nAda\t1\t\t1\n", "line 3: '' is no subject's folder"),
        ("1 1\n,1,2\nAda 1 Bob 1\n", "line 2: '' is no subject's folder"),
        ("1 1\n../Ada 1 2\nAda 1 Bob 1\n", "line 2: '../Ada' is no subject's folder"),
        ("1 1\nAda 1 2\nAda 1 /etc 1\n", "line 3: '/etc' is no subject's folder"),
        ("1 1\nAda 1 2\nAda 1 a\\\\..\\\\b 1\n", "line 3: .* is no subject's folder"),
        ("1 1\nA\0da 1 2\nAda 1 Bob 1\n", "line 2: a zero byte"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, error):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(ValueError, match=r"pairs\.txt.*" + error):
        read_list(tmp_path, "view2")


def test_a_list_that_a_spreadsheet_saved_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "pairs.txt").write_text("\ufeff" + VIEW2)
    assert len(read_list(tmp_path, "view2").left) == 4


@settings(deadline=None, max_examples=300)
@example([(38, b"", 3)])  # a pair's second name is lost
@given(st.lists(st.tuples(st.integers(0, len(VIEW2)), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=4))
def test_a_changed_list_is_read_or_refused_with_its_file(tmp_path_factory, changes):
    data = VIEW2.encode()
    for at, put, lost in changes:
        data = data[:at] + put + data[at + lost :]
    folder = tmp_path_factory.mktemp("list")
    (folder / "pairs.txt").write_bytes(data)
    try:
        found = read_list(folder, "view2")
    except ValueError as error:
        assert str(error).startswith(str(folder / "pairs.txt"))  # noqa: PT017
    else:
        assert len(found.left) == len([line for line in data.splitlines() if line.strip()]) - 1 or b"\n" not in data[-1:]
        assert not any(".." in key.split("/") or key.startswith("/") for key in found.places())


def test_an_absent_list_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"pairsDevTrain\.txt: cannot be read"):
        read_list(tmp_path, "view1_train")


def test_numbers_have_four_digits():
    assert image_key("Ann_Veneman", 3) == "Ann_Veneman/Ann_Veneman_0003.jpg"


@pytest.mark.parametrize(("name", "pairs", "folds"), [("view2", 6000, 10), ("view1_test", 1000, 10), ("view1_train", 2200, 10)])
def test_the_real_lists_are_whole(shared, name, pairs, folds):
    found = read_list(shared / "data" / "lfw", name)
    assert len(found.same) == pairs
    assert sum(found.same) * 2 == pairs
    assert [found.fold.count(fold) for fold in range(folds)] == [pairs // folds] * folds

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.cfp import list_files, read_cfp


@pytest.fixture
def protocol(tmp_path):
    for fold in range(1, 11):
        folder = tmp_path / "Split" / "FP" / f"{fold:02d}"
        folder.mkdir(parents=True)
        (folder / "same.txt").write_text("1,1\n")
        (folder / "diff.txt").write_text("1,2\n")
    for letter, view in (("F", "frontal"), ("P", "profile")):
        names = [f"{i} ../Data/Images/{i:03d}/{view}/01.jpg" for i in (1, 2)]
        (tmp_path / f"Pair_list_{letter}.txt").write_text("\n".join(names))
    return tmp_path


def test_numbers_are_looked_up_in_the_two_lists(protocol):
    found = read_cfp(protocol, "frontal_profile")
    assert len(found) == 20
    assert (found[1].left, found[1].right, found[1].same, found[1].fold) == (
        ("001/frontal/01.jpg",),
        ("002/profile/01.jpg",),
        (False,),
        (0,),
    )
    assert found[-1].fold == (9,)
    assert all(file.is_file() for file in list_files(protocol, "frontal_profile"))


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("Pair_list_P.txt", "1 ../Data/Images/a.jpg\n1 ../Data/Images/b.jpg", "line 2: the number 1 occurs twice"),
        ("Pair_list_F.txt", "x ../Data/Images/a.jpg", "line 1: expected a number and a path"),
        ("Pair_list_F.txt", "1 /etc/Data/Images/a.jpg", "line 1: expected a number and a path"),
        ("Split/FP/03/same.txt", "1,1\n1 1", "line 2: expected two numbers with a comma"),
        ("Split/FP/03/same.txt", "1,3", "line 1: the second image, number 3, is not one of 2"),
        ("Split/FP/03/same.txt", "0,1", "line 1: the first image, number 0"),
        ("Split/FP/03/same.txt", "", "the list is empty"),
    ],
)
def test_a_wrong_line_is_named(protocol, name, text, error):
    (protocol / name).write_text(text)
    with pytest.raises(ValueError, match=name.split("/")[-1].replace(".", r"\.") + ".*" + error):
        read_cfp(protocol, "frontal_profile")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.sampled_from(["Pair_list_P.txt", "Split/FP/03/same.txt"]),
    st.one_of(st.binary(max_size=40), st.text("1,2 \n./DataImges", max_size=40).map(str.encode)),
)
def test_any_text_gives_pairs_or_an_error_that_names_the_file(protocol, name, data):
    before = (protocol / name).read_bytes()
    (protocol / name).write_bytes(data)
    message = ".txt"
    try:
        read_cfp(protocol, "frontal_profile")
    except ValueError as error:
        message = str(error)
    finally:
        (protocol / name).write_bytes(before)
    assert ".txt" in message  # of the list, or of one that refers to it

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.ages import AGES
from datamodules.list_readers.fairface import RACES, joined, read_table, undated

HEAD = "file,age,gender,race,service_test\n"


def put(folder, data):
    file = folder / "table.csv"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


def test_rows_become_classes(tmp_path):
    found = read_table(
        put(tmp_path, HEAD + "train/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,more than 70,Female,White,False\n"), "refuse"
    )
    assert found.keys == ("train/1.jpg", "train/2.jpg")
    assert [AGES[one] for one in found.columns["age"]] == ["50-59", "more than 70"]
    assert (found.columns["gender"], [RACES[one] for one in found.columns["race"]]) == ([0, 1], ["East Asian", "White"])
    assert found.repaired == 0


def test_order_of_columns_quotes_and_line_ends_do_not_matter(tmp_path):
    text = '\ufeff,race,gender,age,file\r\n0,"Latino_Hispanic",Male, 0-2 ,val/1.jpg\r\n\r\n'
    assert read_table(put(tmp_path, text), "refuse").keys == ("val/1.jpg",)


@pytest.mark.parametrize(
    "text",
    [
        "9-Mar",
        "3-Sep",
        "09-Mar",
        "Mar-09",
        "9-mar",
        "2024-03-09",
        "2024-03-09 00:00:00",
        "3/9/2024",
        "9.3.2024",
        "Sep-3",
        "03-Sept",
    ],
)
def test_three_to_nine_is_read_back(text):
    assert undated(text) == "3-9"


@pytest.mark.parametrize("text", ["19-Oct", "Oct-19", "10/19/2021", "19/10/2021", "2021-10-19"])
def test_ten_to_nineteen_is_read_back(text):
    assert undated(text) == "10-19"


@pytest.mark.parametrize(
    "text",
    ["10-Sep", "3-Mar", "9-Sep", "9-Xyz", "20-29", "3-9", "44629", "Mar-2009", "", "19-Nov", "2-Jan", "1/3/9", "Maerz-9"],
)
def test_other_dates_are_not_guessed(text):
    assert undated(text) is None


def test_damaged_ages_are_refused_or_repaired_and_counted(tmp_path):
    file = put(tmp_path, HEAD + "a.jpg,0-2,Male,White,x\nb.jpg,9-Mar,Male,White,x\nc.jpg,19-Oct,Male,White,x\n")
    with pytest.raises(
        ValueError, match=r"table\.csv, line 3: the age 9-Mar was 3-9 before a spreadsheet.*2 of 3 ages are damaged.*repair"
    ):
        read_table(file, "refuse")
    found = read_table(file, "repair")
    assert [AGES[one] for one in found.columns["age"]] == ["0-2", "3-9", "10-19"]
    assert found.repaired == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the table is empty"),
        (HEAD, "a title line and no rows"),
        ("file;age;gender;service_test\n", "line 1: expected one column 'race' .*'file;age;gender;service_test'"),
        ('file;age;gender;race\n"a.jpg;0-2;Male;White\n', "line 2: no table separated by ';'"),
        ("file,age,gender\n", "line 1: expected one column 'race'"),
        (HEAD + "a.jpg,0-2,Male,White,x\nb.jpg,0-2,Male\n", "line 3: expected 5 fields, found 3"),
        (HEAD + "a.jpg,10-Sep,Male,White,x\n", "line 2: unknown age '10-Sep' .*more than 70"),
        (HEAD + "a.jpg,0-2,male,White,x\n", r"line 2: unknown gender 'male' \(known: Male, Female\)"),
        (HEAD + "a.jpg,0-2,Male,Asian,x\n", "line 2: unknown race 'Asian'"),
        (HEAD + "a.jpg,0-2,Male,White,x\na.jpg,0-2,Male,White,x\n", "line 3: the image a.jpg stands in line 2 already"),
        (HEAD + "../a.jpg,0-2,Male,White,x\n", "line 2: expected an image below the dataset's folder"),
        (HEAD + "/a.jpg,0-2,Male,White,x\n", "line 2: expected an image below"),
        (HEAD + ",0-2,Male,White,x\n", "line 2: expected an image below"),
        (HEAD + '"a.jpg,0-2,Male,White,x\n', "line 2: no table separated by ','"),
        (HEAD.encode() + b"a.jpg,0-2,Male,Wh\xeete,x\n", "line 2: the byte 0xee is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, error):
    with pytest.raises(ValueError, match=rf"table\.csv.*{error}"):
        read_table(put(tmp_path, text), "repair")


pieces = st.sampled_from(
    ["a.jpg", "b.jpg", "0-2", "9-Mar", "Male", "White", ",", ",", "\n", "\r\n", '"', "é", "\0", "x", "a.jpg,0-2,Male,White,x\n"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=25).map(lambda found: (HEAD + "".join(found)).encode())))
def test_any_text_gives_rows_or_an_error_that_names_the_file(tmp_path, data):
    try:
        keys = read_table(put(tmp_path, data), "repair").keys
    except ValueError as error:
        keys = str(error).split("table.csv")[1:]
    assert keys


def test_missing_labels_are_refused_or_counted_and_their_rows_stay(tmp_path):
    file = put(tmp_path, HEAD + "a.jpg,,Male,White,x\nb.jpg,0-2,,,x\nc.jpg,0-2,Female,White,x\n")
    with pytest.raises(
        ValueError, match=r"table\.csv, line 2: no age of a\.jpg; 3 labels of 3 images are missing.*on_missing_label: unknown"
    ):
        read_table(file, "refuse")
    found = read_table(file, "refuse", "unknown")
    assert found.keys == ("a.jpg", "b.jpg", "c.jpg")
    assert found.columns == {"age": [-1, 0, 0], "gender": [0, -1, 1], "race": [0, -1, 0]}
    assert found.unlabeled() == {"age": 1, "gender": 1, "race": 1}
    assert found.labels()["gender"] == ["Male", None, "Female"]


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_table_saved_by_a_spreadsheet_is_read_and_its_damage_counted(tmp_path, mark):
    """A byte order mark, quotes, Windows line ends, two ages made dates, a missing label, and perhaps semicolons."""
    rows = ['"a.jpg","9-Mar","Male","White"', "b.jpg,19-Oct,Female,Black", 'c.jpg,0-2,,"East Asian"']
    text = "\ufeff" + "\r\n".join(["file,age,gender,race", *rows, ""]).replace(",", mark)
    with pytest.raises(ValueError, match=r"line 2: the age 9-Mar was 3-9 before .*2 of 3 ages are damaged"):
        read_table(put(tmp_path, text), "refuse", "unknown")
    with pytest.raises(ValueError, match=r"line 4: no gender of c\.jpg; 1 labels of 3 images are missing"):
        read_table(put(tmp_path, text), "repair")
    found = read_table(put(tmp_path, text), "repair", "unknown")
    assert found.labels()["age"] == ["3-9", "10-19", "0-2"]
    assert found.labels()["race"] == ["White", "Black", "East Asian"]
    assert (found.repaired, found.unlabeled()["gender"]) == (2, 1)


def test_the_tables_of_both_splits_are_joined_unless_an_image_is_in_both(tmp_path):
    one = read_table(put(tmp_path, HEAD + "train/1.jpg,0-2,Male,White,x\n"), "refuse")
    other = read_table(put(tmp_path, HEAD + "val/1.jpg,3-9,Female,Black,x\n"), "refuse")
    found = joined([one, other])
    assert (found.keys, found.columns["age"], found.columns["race"]) == (("train/1.jpg", "val/1.jpg"), [0, 1], [0, 1])
    with pytest.raises(ValueError, match=r"the image train/1\.jpg is in the tables of both splits"):
        joined([one, one])

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.subject_names import normalized, read_identity_meta, read_numbered_names

META = (
    "Class_ID, Name, Sample_Num, Flag, Gender\n"
    'n000001, "14th_Dalai_Lama",424,0, m,\nn000003, "A._A._Gill",205,1, m,\nn9, "Ruiz, José",1,1,f\n'
)


def put(folder, data):
    file = folder / "names.csv"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann_Veneman", "ANN VENEMAN"),
        ("A._J._Cook", "AJ_Cook"),
        ("José_Ruiz", "Jose_Ruiz"),
        ("Jose\u0301 Ruiz", "José-Ruiz"),
        ("Conan_O'Brien", "Conan_O’Brien"),
        ("Bjørn_Łukasz", "Bjorn Lukasz"),
        ("Strauß", "STRAUSS"),
        ("Ａｎｎ", "ann"),
    ],
)
def test_one_name_in_two_spellings(one, other):
    assert normalized(one) == normalized(other) != ""


def test_different_names_stay_different():
    assert (
        len(
            {
                normalized(name)
                for name in ("Ann_Veneman", "Ann_Venema", "Anna_Veneman", "习近平", "John_Smith_1", "John_Smith_2")
            }
        )
        == 6
    )


@given(st.text(max_size=20))
def test_normalizing_twice_changes_nothing(name):
    assert normalized(normalized(name)) == normalized(name)


def test_vggface2s_names(tmp_path):
    assert read_identity_meta(put(tmp_path, META)) == {
        "n000001": "14th_Dalai_Lama",
        "n000003": "A._A._Gill",
        "n9": "Ruiz, José",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_numbered_names(tmp_path, end):
    text = end.join(["0000045 A.J._Buckley", "0000099\tAaron Eckhart", "", "0000100,Aaron Paul"])
    assert read_numbered_names(put(tmp_path, text)) == {
        "0000045": "A.J._Buckley",
        "0000099": "Aaron Eckhart",
        "0000100": "Aaron Paul",
    }


@pytest.mark.parametrize(
    ("reader", "data", "error"),
    [
        (read_identity_meta, "a,b\n", "line 1: expected a title line with Class_ID and Name"),
        (read_identity_meta, META + "n000001, X,1,1,m\n", "line 5: the subject n000001 occurs twice"),
        (read_identity_meta, META + "n4\n", "line 5: expected a subject's number and a name"),
        (read_identity_meta, META + 'n4, "x\n', "line 5: no line of a table"),
        (read_identity_meta, "Class_ID,Name\n", "the list names nobody"),
        (read_numbered_names, "1 a\n2\n", "line 2: expected a subject's number and a name, found '2'"),
        (read_numbered_names, "1 a\n1 b\n", "line 2: the subject 1 occurs twice"),
        (read_numbered_names, b"1 a\n2 Jos\xe9\n", "line 2: the byte 0xe9 is not UTF-8"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, reader, data, error):
    with pytest.raises(ValueError, match=rf"names\.csv.*{error}"):
        reader(put(tmp_path, data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.sampled_from([read_identity_meta, read_numbered_names]),
    st.one_of(st.binary(max_size=40), st.text('n1 ,"\n', max_size=30).map(lambda text: (META + text).encode())),
)
def test_any_text_gives_names_or_an_error_that_names_the_file(tmp_path, reader, data):
    try:
        found = reader(put(tmp_path, data))
    except ValueError as error:
        found = str(error).split("names.csv")[1:]
    assert found

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamodules.list_readers.ijb import files, line_of, read_faces, read_points, read_subjects, read_template_pairs

POINTS = "1.jpg 46.06 62.026 87.785 60.323 68.851 77.656 52.162 99.875 86.45 98.648 0.999\n"


def put(folder, data):
    file = folder / "list.txt"
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    return file


def test_images_with_template_and_medium(tmp_path):
    found = read_faces(put(tmp_path, "1.jpg 1 69544\r\n2.jpg 1 69544\r\n\r\nimg/3.jpg 12 -1\r\n"))
    assert found.names == ("1.jpg", "2.jpg", "img/3.jpg")
    assert found.template.tolist() == [1, 1, 12]
    assert found.media.tolist() == [69544, 69544, -1]
    assert found.template.dtype == found.media.dtype == np.int64


def test_pairs_of_templates(tmp_path):
    found = read_template_pairs(put(tmp_path, b"\xef\xbb\xbf1 2 1\n1 3 0"))
    assert (found.left.tolist(), found.right.tolist(), found.same.tolist()) == ([1, 1], [2, 3], [True, False])
    assert (found.left.dtype, found.same.dtype) == (np.int32, bool)


def test_landmarks_and_scores(tmp_path):
    found = read_points(put(tmp_path, POINTS + POINTS.replace("1.jpg", "2.jpg")))
    assert found.names == ("1.jpg", "2.jpg")
    assert found.points.shape == (2, 5, 2)
    assert found.points[0, 0].tolist() == pytest.approx([46.06, 62.026])
    assert found.points[1, 4].tolist() == pytest.approx([86.45, 98.648])
    assert found.scores.tolist() == pytest.approx([0.999] * 2)
    assert found.points.dtype == found.scores.dtype == np.float32


@pytest.mark.parametrize("name", ["../1.jpg", "/etc/passwd", "a/../../b.jpg", "a\\..\\b.jpg", "..", "a\0.jpg"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"list\.txt, line 3: (expected an image below the folder of crops|a zero byte)"):
        read_faces(put(tmp_path, f"1.jpg 1 2\n\n{name} 1 2\n..a/b..jpg 1 2\n"))


def test_names_that_look_like_nothing_stay_names(tmp_path):
    assert read_faces(put(tmp_path, 'NA 1 2\nnull 1 2\n"x 1 2\n')).names == ("NA", "null", '"x')


def test_subjects_of_a_gallery(tmp_path):
    text = 'TEMPLATE_ID,SUBJECT_ID,FILENAME,FACE_X\n11,7,img/1.jpg,2\n11,7,img/2.jpg,2\n9,8,"a,b",\n'
    assert read_subjects(put(tmp_path, text)) == {11: 7, 9: 8}
    assert list(read_subjects(put(tmp_path, "SUBJECT_ID,X,TEMPLATE_ID\r\n7,,11\r\n"))) == [11]


@pytest.mark.parametrize(
    ("reader", "data", "error"),
    [
        (
            read_faces,
            "a 1 2\n\nb 1\n",
            r"line 3: expected 3 fields \(image, template, medium\) with one blank between, found 'b 1'",
        ),
        (read_faces, "a 1 2\nb  1 2\n", "line 2: expected 3 fields"),
        (read_faces, "a 1 2\nb 1 2 \n", "line 2: expected 3 fields"),
        (read_faces, "a 1 2\nb\t1\t2\n", "line 2: expected 3 fields"),
        (read_faces, "a 1 2\nb 1 x\n", "line 2: medium is 'x', expected a whole number"),
        (read_faces, "a 1 2\nb 1 \n", "line 2: expected 3 fields"),
        (read_faces, "a 1 2\n 1 2\n", "line 2: expected 3 fields"),
        (read_faces, "a 1 2\nb 1.5 2\n", "line 2: template is '1.5'"),
        (read_faces, b"a 1 2\nb\xe9 1 2\n", "line 2: the byte 0xe9 is not UTF-8"),
        (read_faces, "", "the list is empty"),
        (read_faces, "\n\n", "list.txt: "),
        (read_template_pairs, "1 2 1\n1 3 2\n", "line 2: expected a label of 0 or 1, found 2"),
        (read_template_pairs, "1 2 1\n\n1 3 300\n", "line 3: label is '300'"),
        (read_template_pairs, "1 2 1\n1 99999999999 1\n", "line 2: other template is '99999999999'"),
        (read_points, POINTS + "2.jpg 1 2\n", "line 2: expected 12 fields"),
        (read_points, POINTS + "2.jpg" + 10 * " 0" + " 0\n", "line 2: the five landmarks are one point.* in 1 of 2 lines"),
        (read_points, POINTS + POINTS.replace("0.999", "nan"), "line 2: "),
        (read_points, POINTS + POINTS.replace("0.999", "1e99"), "line 2: expected finite numbers"),
        (read_points, POINTS + POINTS.replace("0.999", "-1"), "line 2: expected finite numbers and a score from 0 on"),
        (read_points, POINTS + POINTS.replace("46.06", "4 6"), "line 2: expected 12 fields"),
        (read_subjects, "TEMPLATE_ID,FILENAME\n1,2\n", "line 1: expected columns TEMPLATE_ID and SUBJECT_ID"),
        (read_subjects, "TEMPLATE_ID,SUBJECT_ID\n1,2\n1,x\n", "line 3: .*'x'"),
        (read_subjects, "TEMPLATE_ID,SUBJECT_ID\n1,2\n1\n", "line 3: "),
        (read_subjects, "TEMPLATE_ID,SUBJECT_ID\n1,2\n\n1,3\n", "line 4: template 1 shows subject 3, but subject 2 before"),
        (read_subjects, "TEMPLATE_ID,SUBJECT_ID\n", "the list is empty"),
        (read_subjects, "", "list.txt"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, reader, data, error):
    with pytest.raises(ValueError, match=r"list\.txt") as found:
        reader(put(tmp_path, data))
    assert re.search(error, str(found.value)), found.value


@pytest.mark.parametrize("reader", [read_faces, read_template_pairs, read_points, read_subjects])
def test_an_absent_list_is_named(tmp_path, reader):
    with pytest.raises(ValueError, match=r"none\.txt: cannot be read"):
        reader(tmp_path / "none.txt")


pieces = st.sampled_from(
    [
        "a.jpg",
        "1",
        "2",
        "0",
        " ",
        " ",
        "\n",
        "\n",
        "\r\n",
        "1 2 1\n",
        "a 1 2\n",
        POINTS,
        "é",
        '"',
        ",",
        "TEMPLATE_ID,SUBJECT_ID\n",
        "3,4\n",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    st.sampled_from([read_faces, read_template_pairs, read_points, read_subjects]),
    st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=20).map("".join).map(str.encode)),
)
def test_any_text_gives_rows_or_an_error_that_names_the_file(tmp_path, reader, data):
    file = put(tmp_path, data)
    try:
        found = reader(file)
    except ValueError as error:
        found = str(error)
    if isinstance(found, str):
        assert "list.txt" in found
        return
    rows = sum(bool(line) for line in data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    if reader is not read_subjects:  # there, a template has many lines
        assert rows == len(found.left if reader is read_template_pairs else found.names)


def test_lines_of_rows_skip_empty_lines(tmp_path):
    assert line_of(put(tmp_path, "a\n\nb\r\nc"), 2) == 4


def test_both_sets_have_their_names():
    assert files("ijbb").galleries == ("ijbb_1N_gallery_S1.csv", "ijbb_1N_gallery_S2.csv")
    assert files("ijbc").faces == "ijbc_face_tid_mid.txt"

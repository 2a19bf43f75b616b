import numpy as np
import pytest

from datamodules.detection import MISSED, Detection, Detections

FACE = Detection(True, (1.5, -2.25, 30.0, 40.125), 0.75, ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.5)))
PLAIN = Detection(True, (0.0, 0.0, 8.0, 8.0), 1.0)


def table():
    return Detections.of(["a/1", "a/2", "b/1"], [FACE, MISSED, PLAIN])


def test_rows_come_back_as_they_went_in():
    assert [table().at(row) for row in range(3)] == [FACE, MISSED, PLAIN]
    assert table().row("b/1") == PLAIN
    assert np.isnan(table().landmarks[1]).all()


def test_an_image_without_detection_is_named():
    with pytest.raises(ValueError, match="no detection for the image c/1"):
        table().row("c/1")


def test_an_image_named_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        Detections.of(["a", "a"], [FACE, FACE])


@pytest.mark.parametrize("rows", [[FACE, MISSED, PLAIN], []])
def test_a_saved_table_is_loaded_unchanged(tmp_path, rows):
    keys = ["a/1", "a/2", "b/1"][: len(rows)]
    written = Detections.of(keys, rows)
    written.save(tmp_path / "d.parquet")
    found = Detections.load(tmp_path / "d.parquet")
    assert found.keys == written.keys
    for name in ("found", "boxes", "scores", "landmarks"):
        one, other = getattr(found, name), getattr(written, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=name == "landmarks")
    assert found.digest == written.digest
    assert [file.name for file in tmp_path.iterdir()] == ["d.parquet"]


def test_equal_tables_give_equal_bytes(tmp_path):
    table().save(tmp_path / "1")
    Detections.concat([table()]).save(tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_parts_join_in_order():
    parts = [Detections.of(["a/1"], [FACE]), Detections.of([], []), Detections.of(["a/2", "b/1"], [MISSED, PLAIN])]
    assert Detections.concat(parts).digest == table().digest
    assert len(Detections.concat([])) == 0


@pytest.mark.parametrize("other", [Detection(True, (1.5, -2.25, 30.0, 40.25), 0.75, FACE.landmarks), PLAIN, MISSED])
def test_every_value_counts_in_the_digest(other):
    assert Detections.of(["a/1"], [FACE]).digest != Detections.of(["a/1"], [other]).digest
    assert Detections.of(["a/1"], [FACE]).digest != Detections.of(["a/2"], [FACE]).digest

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats.recordio import MAGIC, joined, read_headers, read_index, unpack

SIGN = struct.pack("<I", MAGIC)


def parts(payload):
    """The parts of one record, written as the format's description says."""
    cuts, start = [], 0
    for at in range(0, len(payload) - len(payload) % 4, 4):
        if payload[at : at + 4] == SIGN:
            cuts.append(payload[start:at])
            start = at + 4
    cuts.append(payload[start:])
    out = b""
    for place, cut in enumerate(cuts):
        kind = 0 if len(cuts) == 1 else 1 if place == 0 else 3 if place == len(cuts) - 1 else 2
        out += SIGN + struct.pack("<I", kind << 29 | len(cut)) + cut + bytes(-len(cut) % 4)
    return out


def packed(labels, image, number=0):
    if isinstance(labels, (int, float)):
        return struct.pack("<IfQQ", 0, labels, number, 0) + image
    return struct.pack("<IfQQ", len(labels), 0.0, number, 0) + struct.pack(f"<{len(labels)}f", *labels) + image


def write(folder, records):
    rec, lines = b"", []
    for number, record in enumerate(records):
        lines.append(f"{number}\t{len(rec)}\n")
        rec += parts(record)
    (folder / "train.rec").write_bytes(rec)
    (folder / "train.idx").write_text("".join(lines))
    return folder / "train.rec", folder / "train.idx"


def headers(folder):
    return read_headers(folder / "train.rec", *read_index(folder / "train.idx"))


PAYLOADS = [
    packed(3.0, b"jpeg!"),
    packed([4.0, 9.0], b"\xff\xd8" + SIGN + b"12"),  # the sign stands at 34, so nothing is cut
    packed([5.0], SIGN + b"abcd" + SIGN + SIGN + b"xyz"),
    packed(7.0, b"", number=MAGIC),  # the sign stands within the header
    packed(float(np.frombuffer(SIGN, "<f4")[0]), b"z"),
    packed([1.0, 2.0, 3.0], SIGN),
]


def test_records_of_several_parts_are_put_together_again(tmp_path):
    rec, idx = write(tmp_path, PAYLOADS)
    found = headers(tmp_path)
    data = rec.read_bytes()
    assert found.number.tolist() == list(range(6))
    for row, payload in enumerate(PAYLOADS):
        start, length = int(found.offset[row]), int(found.length[row])
        assert joined(data[start : start + length]) == payload
    assert found.flag.tolist() == [0, 2, 1, 0, 0, 3]
    assert found.payload.tolist() == [5, 8, 19, 0, 1, 4]
    assert found.labels[[0, 1, 2, 3, 5], 0].tolist() == [3, 4, 5, 7, 1]
    assert found.labels[[1, 5], 1].tolist() == [9, 2]
    assert np.isnan(found.labels[[0, 2, 3, 4], 1]).all()
    assert idx.read_text().splitlines()[1] == f"1\t{found.offset[1]}"


def test_blocks_end_anywhere(tmp_path, monkeypatch):
    write(tmp_path, PAYLOADS * 3)
    whole = headers(tmp_path)
    for block in (1, 40, 77, 200):
        monkeypatch.setattr("datamodules.formats.recordio.BLOCK", block)
        found = headers(tmp_path)
        for name in ("number", "offset", "length", "flag", "payload"):
            assert np.array_equal(getattr(found, name), getattr(whole, name))
        assert np.array_equal(found.labels, whole.labels, equal_nan=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([SIGN, SIGN[:3], b"a", b"bcde", b"\0", SIGN[1:]])), st.lists(st.floats(width=32), max_size=3))
def test_any_payload_comes_back(pieces, labels):
    image = b"".join(pieces)
    found, rest, flag = unpack(parts(packed(labels, image)))
    assert rest == image
    assert flag == len(labels)
    if labels:
        assert found.tobytes() == np.array(labels, "<f4").tobytes()


def test_a_file_that_ends_anywhere_is_refused(tmp_path):
    rec, _ = write(tmp_path, PAYLOADS)
    data = rec.read_bytes()
    for length in range(len(data)):
        rec.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"train\.rec, offset \d+: "):
            headers(tmp_path)


def test_an_index_that_ends_anywhere_is_refused(tmp_path):
    _, idx = write(tmp_path, PAYLOADS)
    text = idx.read_bytes()
    for length in range(len(text) - 1):  # without its last line's end it still says everything
        idx.write_bytes(text[:length])
        with pytest.raises(ValueError, match=r"train\.(idx|rec)(, offset \d+)?: "):
            headers(tmp_path)


@settings(max_examples=400, deadline=None)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7), which=st.sampled_from(["rec", "idx"]))
def test_a_flipped_bit_is_refused_or_no_record_is_lost(tmp_path_factory, place, bit, which):
    folder = tmp_path_factory.mktemp("flip")
    file = write(folder, PAYLOADS)[which == "idx"]
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)
    try:
        found = headers(folder)
        raw = (folder / "train.rec").read_bytes()
        for row, start in enumerate(found.offset.tolist()):
            unpack(raw[start : start + int(found.length[row])])
    except ValueError:
        return
    assert len(found.number) == len(PAYLOADS)


def test_a_line_that_is_lost_from_the_index_is_noticed(tmp_path):
    _, idx = write(tmp_path, PAYLOADS)
    lines = idx.read_text().splitlines(keepends=True)
    for place in range(len(lines)):
        idx.write_text("".join(lines[:place] + lines[place + 1 :]))
        with pytest.raises(ValueError, match=r"train\.rec, offset \d+: "):
            headers(tmp_path)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("0\t0\n1\t\t84\n", 4),
        ("\t0\t0\n", 0),
        ("0\t0\n1 84\n", 4),
        ("0\t0\nx\t5\n", 4),
        ("0\t0\n\n1\t9\n", 4),
        ("0\t-4\n", 0),
        ("0\t0\t0\n", 0),
        ("0\t" + "9" * 19, 0),
    ],
)
def test_a_bad_line_of_the_index_is_named(tmp_path, text, offset):
    (tmp_path / "train.idx").write_text(text)
    with pytest.raises(ValueError, match=rf"train\.idx, offset {offset}: expected a number, a tab and an offset"):
        read_index(tmp_path / "train.idx")


def test_an_index_may_be_in_any_order_and_have_the_line_ends_of_any_system(tmp_path):
    _, idx = write(tmp_path, PAYLOADS)
    lines = idx.read_text().splitlines()
    idx.write_bytes("\r\n".join(lines[::-1]).encode())
    assert headers(tmp_path).number.tolist() == list(range(6))
    assert read_index(idx)[0].tolist() == list(range(6))[::-1]


def test_a_number_that_occurs_twice_is_refused(tmp_path):
    _, idx = write(tmp_path, PAYLOADS)
    idx.write_text(idx.read_text().replace("\n2\t", "\n1\t"))
    with pytest.raises(ValueError, match="names record 1 twice"):
        headers(tmp_path)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends after 0 bytes"),
        (b"\0" * 8, "expected the magic number"),
        (SIGN + struct.pack("<I", 2 << 29), "part 1 of the record is of kind 2"),
        (SIGN + struct.pack("<I", 7 << 29), "part 1 of the record is of kind 7"),
        (SIGN + struct.pack("<I", 1 << 29) + SIGN + struct.pack("<I", 0), "part 2 of the record is of kind 0"),
        (SIGN + struct.pack("<I", 500) + b"abc", "a part of 500 bytes, of which 3 are there"),
        (SIGN + struct.pack("<I", 3) + b"abcd", "not padded with zeros"),
        (SIGN + struct.pack("<I", 4) + b"abcd" + b"rest", "the next one is 16 bytes on"),
        (SIGN + struct.pack("<I", 4) + b"abcd", "has no header"),
        (parts(struct.pack("<IfQQ", 1 << 31, 0, 0, 0)), "announces 2147483648 labels"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(data, why):
    with pytest.raises(ValueError, match=why):
        unpack(data)


def test_a_record_of_impossible_length_is_not_read(tmp_path):
    (tmp_path / "train.idx").write_text("0\t0\n")
    with (tmp_path / "train.rec").open("wb") as file:
        file.truncate(1 << 33)  # a hole: eight GiB that need no disk
    with pytest.raises(ValueError, match=r"train\.rec, offset 0: the index has no whole record here"):
        headers(tmp_path)

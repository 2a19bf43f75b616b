import io
import json
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats.shards import members, samples

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
LONG = "a-very-long-folder/" * 9 + "ü" * 40


def write(path, files, form=tarfile.PAX_FORMAT, **fields):
    """An archive of (name, bytes) by Python's own writer."""
    with tarfile.open(path, "w", format=form, encoding="utf-8") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return path


def contents(path):
    data = path.read_bytes()
    return [(member.name, data[member.offset : member.offset + member.size]) for member in members(path)]


FILES = [("000.jpg", b"\xff\xd8" * 300), ("000.cls", b"7"), ("b/001.jpg", b""), ("b/001.cls", b"12\n")]
PAIR = FILES[:2]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_archives_of_any_format_are_read(tmp_path, form):
    path = write(tmp_path / "x.tar", FILES, form, mtime=1234567890, uname="somebody", uid=2_000_000)
    assert contents(path) == FILES


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_long_names_are_read(tmp_path, form):
    files = [(f"{LONG}.jpg", b"abc"), (f"{LONG}.cls", b"1"), ("short.jpg", b"x" * 512)]
    assert contents(write(tmp_path / "x.tar", files, FORMATS[form], mtime=0.25)) == files


def test_names_of_two_parts_are_joined(tmp_path):
    files = [("folder/" * 20 + "x.jpg", b"abc")]
    assert contents(write(tmp_path / "x.tar", files, tarfile.USTAR_FORMAT)) == files


def test_folders_hold_nothing(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        folder = tarfile.TarInfo("b")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert contents(tmp_path / "x.tar") == []


def test_binary_sizes_are_read(tmp_path):
    path = write(tmp_path / "x.tar", [("a.jpg", b"abc")], tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    data[124:136] = b"\x80" + (3).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)
    assert contents(path) == [("a.jpg", b"abc")]
    data[124:136] = b"\x80" + (1 << 80).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.tar, offset 0: a member of \d+ bytes is announced"):
        contents(path)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("name", ["/etc/passwd", "../x.jpg", "a/../../x.jpg", "..", "a\\..\\x.jpg"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name, form):
    path = write(tmp_path / "x.tar", [*PAIR, (name, b"abc")], form)
    with pytest.raises(ValueError, match=r"x\.tar, offset \d+: the name .* is no path below a folder"):
        list(samples(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.tar"]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (b"Z", "of the unknown kind b'Z'"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path, kind, what):
    with tarfile.open(write(tmp_path / "x.tar", PAIR), "a") as archive:
        info = tarfile.TarInfo("link.jpg")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(ValueError, match=rf"x\.tar, offset 2560: the member 'link\.jpg' is {what}; refused"):
        contents(tmp_path / "x.tar")


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"path": "../x.jpg"}, "is no path below a folder"),
        ({"path": "/x.jpg"}, "is no path below a folder"),
        ({"size": "99999999"}, "a member of 99999999 bytes is announced"),
        ({"size": "-1"}, "the size b'-1'"),
        ({"size": "9" * 30}, "the size"),
        ({"GNU.sparse.name": "x"}, r"extended names with GNU\.sparse\.name; refused"),
    ],
)
def test_extended_names_are_held_to_the_same_rules(tmp_path, headers, why):
    path = write(tmp_path / "x.tar", [("a.jpg", b"abc")], pax_headers=headers)
    with pytest.raises(ValueError, match=rf"x\.tar, offset \d+: .*{why}"):
        contents(path)


def test_names_for_all_members_are_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w", pax_headers={"path": "same.jpg"}) as archive:
        archive.addfile(tarfile.TarInfo("a.jpg"))
    with pytest.raises(ValueError, match=r"x\.tar, offset 0: extended names with path; refused"):
        contents(tmp_path / "x.tar")


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_an_archive_that_ends_anywhere_is_refused_or_whole(tmp_path, form):
    data = write(
        tmp_path / "x.tar", [*FILES, (f"{LONG}.jpg", b"a")] if form != tarfile.USTAR_FORMAT else FILES, form
    ).read_bytes()
    want = contents(tmp_path / "x.tar")
    content = len(data.rstrip(b"\0"))
    for length in range(0, len(data), 7):
        (tmp_path / "x.tar").write_bytes(data[:length])
        try:
            found = contents(tmp_path / "x.tar")
        except ValueError as error:
            why = str(error)
        else:
            assert found == want
            assert length >= content + 1024
            continue
        assert "x.tar, offset " in why
        assert length < content + 1024 + 512


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_flipped_bit_loses_no_member(tmp_path_factory, place, bit):
    path = write(tmp_path_factory.getbasetemp() / "flip.tar", FILES, tarfile.USTAR_FORMAT)
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    try:
        found = contents(path)
    except ValueError as error:
        found, why = [], str(error)
        assert len(why.split("flip.tar, offset ")) == 2
    if found:
        assert [name for name, _ in found] == [name for name, _ in FILES]
        assert [len(data) for _, data in found] == [len(data) for _, data in FILES]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_changed_bytes_are_refused_or_read(tmp_path_factory, changes):
    path = write(tmp_path_factory.getbasetemp() / "bytes.tar", [(f"{LONG}.jpg", b"a"), (f"{LONG}.cls", b"1")])
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        list(samples(path))
        why = "bytes.tar, offset "
    except ValueError as error:
        why = str(error)
    assert "bytes.tar, offset " in why


@pytest.mark.parametrize("tail", [b"x" * 512, b"\0" * 512 + b"x" * 512])
def test_what_follows_the_end_is_noticed(tmp_path, tail):
    path = write(tmp_path / "x.tar", PAIR)
    path.write_bytes(path.read_bytes() + tail + bytes(1024))
    with pytest.raises(ValueError, match=r"x\.tar, offset 2560: the archive ends here, but something follows"):
        contents(path)


def test_two_archives_in_one_file_are_refused(tmp_path):
    data = write(tmp_path / "x.tar", PAIR).read_bytes()
    (tmp_path / "x.tar").write_bytes(data + data)
    with pytest.raises(ValueError, match="something follows"):
        contents(tmp_path / "x.tar")


@pytest.mark.parametrize("data", [b"", b"not an archive", b"x" * 2048, bytes(512), os.urandom(4096)])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.tar, offset 0: "):
        contents(tmp_path / "x.tar")


def label(**said):
    return json.dumps(said).encode()


def test_a_label_says_key_and_identity(tmp_path):
    files = [
        ("0.jpg", b"a"),
        ("0.json", label(key="Ann/Ann_1.jpg", identity="Ann")),
        ("./1.json", label(label=5)),
        ("./1.PNG", b"b"),
        ("d.d/2.webp", b"c"),
        ("d.d/2.cls", b" 07\n"),
        ("d.d/2.txt", b"whatever else"),
        ("3.seg.png", b"no image of its own"),
        ("3.jpeg", b"d"),
        ("3.cls", b"1"),
    ]
    found = list(samples(write(tmp_path / "train-3.tar", files)))
    assert [(sample.key, sample.identity) for sample in found] == [
        ("Ann/Ann_1.jpg", "Ann"),
        ("train-3/./1.PNG", "5"),
        ("train-3/d.d/2.webp", "7"),
        ("train-3/3.jpeg", "1"),
    ]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([("0.jpg", b"a")], r"offset 0: the key '0' has jpg; wanted are one image"),
        ([("0.cls", b"1"), ("1.jpg", b"a")], r"offset 0: the key '0' has cls"),
        ([("0.jpg", b"a"), ("0.png", b"a"), ("0.cls", b"1")], "the key '0' has jpg, png, cls"),
        ([("0.jpg", b"a"), ("0.jpg", b"a"), ("0.cls", b"1")], r"offset 1024: the member '0\.jpg' occurs twice"),
        ([*PAIR, ("1.jpg", b""), ("1.cls", b"1"), ("000.txt", b"")], r"offset 4096: the key '000' occurs twice"),
        ([("0.jpg", b"a"), ("0.cls", b"Ann")], r"offset 1024: the label '0\.cls': expected a class number, found 'Ann'"),
        ([("0.jpg", b"a"), ("0.cls", b"\xff")], "not UTF-8"),
        ([("0.jpg", b"a"), ("0.cls", b"1" * 50)], "expected a class number"),
        ([("0.jpg", b"a"), ("0.json", b"{")], "the label '0.json': "),
        ([("0.jpg", b"a"), ("0.json", b"[" * 100_000)], "nested too deeply|the label"),
        ([("0.jpg", b"a"), ("0.json", b"[1]")], "expected a JSON object"),
        ([("0.jpg", b"a"), ("0.json", label(age=3))], r"expected a text 'identity', found None \(the label has age\)"),
        ([("0.jpg", b"a"), ("0.json", label(identity=""))], "expected a text 'identity'"),
        ([("0.jpg", b"a"), ("0.json", label(identity="A", key=3))], "expected a text 'key', found 3"),
        ([("0.jpg", b"a"), ("0.json", b'{"identity": "\\ud800"}')], "the label '0.json': .*surrogates not allowed"),
        ([("0.jpg", b"a"), ("0.json", label(identity="A", key="../x"))], "is no path below a folder"),
        ([("0.jpg", b"a"), ("0.cls", b" " * ((1 << 20) + 1))], "a label of 1048577 bytes"),
    ],
)
def test_a_sample_that_is_not_whole_is_refused(tmp_path, files, why):
    path = write(tmp_path / "x.tar", files, tarfile.USTAR_FORMAT)
    with pytest.raises(ValueError, match=rf"x\.tar, offset \d+.*({why})|x\.tar, ({why})"):
        list(samples(path))

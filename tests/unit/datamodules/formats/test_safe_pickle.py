import io
import os
import pickle
import pickletools
import random
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.formats.safe_pickle import Array, Stored, Text, load, stored_bytes


def refused_or_read(data):
    try:
        load(data, "x.bin")
        why = "x.bin, offset 0: "
    except ValueError as error:
        why = str(error)
    assert why.startswith("x.bin, offset ")


IMAGES = [b"\xff\xd8 one\n'\"\\\0\x1a\xff", b"", bytes(range(256)) * 2, b"x" * 70_000]
SAME = [True, False]


def read(data):
    """What is in a pickle, with the bytes themselves."""

    def plain(value):
        if isinstance(value, (Stored, Text)):
            return stored_bytes(data[value.offset : value.offset + value.length], value.coding)
        if isinstance(value, Array):
            kind = {"u1": np.uint8, "b1": bool}[value.kind]
            return np.frombuffer(plain(value.data), kind).reshape(value.shape)
        return type(value)(plain(item) for item in value) if isinstance(value, (list, tuple)) else value

    return plain(load(data, "x.bin"))


@pytest.mark.parametrize("protocol", range(6))
def test_bytes_come_back_whatever_the_protocol(protocol):
    assert read(pickle.dumps((IMAGES, SAME), protocol)) == (IMAGES, SAME)
    assert read(pickle._dumps((IMAGES, SAME), protocol)) == (IMAGES, SAME)  # Python's own pickler, written apart


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_come_back_whatever_the_protocol(protocol):
    arrays = [np.frombuffer(image, np.uint8) for image in IMAGES] + [np.frombuffer(IMAGES[2], np.uint8)[:, None].copy()]
    images, same, scalars = read(pickle.dumps((arrays, np.array(SAME), [np.bool_(True), np.bool_(False)]), protocol))
    for found, array in zip(images, arrays, strict=True):
        assert np.array_equal(found, array)
        assert found.shape == array.shape
    assert same.tolist() == SAME
    assert scalars == SAME


def py2(protocol):
    """What cPickle of Python 2 writes for (list of str, list of bool), by hand."""
    out = b"\x80\x02" if protocol == 2 else b""
    if protocol == 0:
        out += b"((lp1\n"
        for image in IMAGES[:3]:
            text = "".join(f"\\x{byte:02x}" if byte < 32 or byte > 126 or byte in b"\\'" else chr(byte) for byte in image)
            out += b"S'" + text.encode() + b"'\na"
        return out + b"(lp5\nI01\naI00\natp6\n."
    out += b"(]q\x01(" if protocol == 1 else b"]q\x01("
    for image in IMAGES[:3]:
        out += b"U" + bytes([len(image)]) + image if len(image) < 256 else b"T" + struct.pack("<i", len(image)) + image
    return out + (b"e]q\x02(I01\nI00\netq\x03." if protocol == 1 else b"e]q\x02(\x88\x89e\x86q\x03.")


@pytest.mark.parametrize("protocol", range(3))
def test_pickles_of_python_2_come_back(protocol):
    data = py2(protocol)
    assert read(data) == (IMAGES[:3], SAME)
    assert pickle.loads(data, encoding="bytes") == (IMAGES[:3], SAME)


def test_one_object_may_be_used_twice():
    image = b"abc"
    assert read(pickle.dumps(([image, image, image], [True]), 4)) == ([image] * 3, [True])


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

    def __call__(self):
        """So that a pickle may call what another call gave."""


MARKER = "executed-by-a-pickle"


def hostile():
    touch = f"open({MARKER!r}, 'w').close()"
    yield "os.system", Call(os.system, f"touch {MARKER}")
    yield "eval", Call(eval, f"__import__('os').system('touch {MARKER}')")
    yield "exec", Call(exec, touch)
    yield "getattr", Call(getattr, Call(getattr, Call(__import__, "builtins"), "open"), "__call__")
    yield "getattr of a module", Call(Call(getattr, Call(__import__, "os"), "system"), f"touch {MARKER}")
    yield "nested", ([b"a", Call(os.system, f"touch {MARKER}")], [True])
    yield "in the state of an array", (np.array([Call(os.system, f"touch {MARKER}")], object), [True])
    yield "Popen", Call(subprocess.Popen, ["touch", MARKER])
    yield "open", Call(open, MARKER, "w")
    yield "write_text", Call(Path.write_text, Path(MARKER), "x")
    yield "bytes of a number", Call(bytes, 1 << 40)
    yield "bytearray", Call(bytearray, 1 << 40)
    yield "zeros", Call(np.zeros, 1 << 40)
    yield "str", Call(str, b"a", "utf-7")
    yield "set", {1, 2}
    yield "dict", {"a": 1}
    yield "object dtype", np.array([None])
    yield "structured dtype", np.zeros(1, [("a", "u1")])
    yield "wide dtype", np.zeros(2, np.float64)


HOSTILE = list(hostile())


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [value for _, value in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_what_is_hostile_is_refused_and_not_executed(value, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^x\.bin, offset \d+: "):
        load(pickle.dumps(value, protocol), "x.bin")
    assert list(tmp_path.iterdir()) == []


def test_the_marker_would_appear_if_it_were_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Call(os.system, f"touch {MARKER}")))
    assert (tmp_path / MARKER).exists()


RAW = {
    "inst": b"(S'touch x'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'touch x'\no.",
    "newobj": b"\x80\x02cnumpy\nndarray\n(K\x01t\x81.",
    "extension": b"\x80\x02\x82\x01.",
    "persistent": b"P1\n.",
    "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x07touch x\x85R.",
    "stack global of dots": b"\x80\x04\x8c\x08builtins\x8c\x0abytes.join\x93.",
    "known module, other name": b"c_codecs\ndecode\n.",
    "the name of an internal": b"cnumpy\nload\n.",
    "next buffer": b"\x80\x05\x97.",
    "dup": b"N2.",
    "pop": b"N0.",
    "float": b"G" + bytes(8) + b".",
    "build without an array": b"N(K\x01tb.",
    "encode in another code": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-7tR.",
    "array of another class": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR.",
    "array of a size": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1099511627776\ntS'b'\ntR.",
    "many bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"abc.",
    "most bytes": b"\x80\x04\x8e" + b"\xff" * 8 + b"abc.",
    "bytes below none": b"T" + struct.pack("<i", -1) + b".",
    "long frame": b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
    "long number": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b".",
    "long number below none": b"\x80\x02\x8b" + struct.pack("<i", -5) + b".",
    "long line of digits": b"I" + b"9" * 5000 + b"\n.",
    "no number": b"Ixyz\n.",
    "open text": b"S'abc\n.",
    "line without end": b"Vabc",
    "protocol of the future": b"\x80\x06N.",
    "memo is empty": b"h\x05.",
    "stack is empty": b".",
    "two results": b"NN.",
    "mark as a result": b"(.",
    "append to nothing": b"Na.",
    "append to a tuple": b")Na.",
    "no mark": b"Nt.",
    "mark within a tuple": b"(\x85.",
    "memo of a mark": b"(q\x00.",
    "more behind": b"N.N",
    "nothing": b"",
    "zip": b"PK\x03\x04",
    "a call of a list": b"](R.",
    "a call with a list": b"c_codecs\nencode\n]R.",
}


@pytest.mark.parametrize("data", RAW.values(), ids=RAW)
def test_what_no_list_of_images_needs_is_refused(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^x\.bin, offset \d+: "):
        load(data, "x.bin")
    assert list(tmp_path.iterdir()) == []


def test_an_array_whose_shape_claims_more_than_there_is_is_refused():
    data = pickle.dumps(np.zeros(5, np.uint8), 2).replace(b"K\x05\x85", b"J\xff\xff\xff\x7f\x85")
    with pytest.raises(ValueError, match=r"an array of shape \(2147483647,\) with 5 bytes"):
        load(data, "x.bin")


BOMBS = {
    "memo": b"N" + b"r\xff\xff\xff\xff" * 1000 + b".",
    "memo of lines": b"Np" + b"9" * 18 + b"\n.",
    "laughs": b"(lp0\n" + b"".join(b"(l" + b"g%d\na" % at * 10 + b"p%d\n" % (at + 1) for at in range(40)) + b".",
    "nested": b"]" * 100_000 + b"a" * 99_999 + b".",
    "nested tuples": b")" + b"\x85" * 100_000 + b".",
    "a list in itself": b"]q\x00h\x00a.",
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_no_more_memory_than_its_size(data):
    tracemalloc.start()
    refused_or_read(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000 + 300 * len(data)


def test_bytes_that_are_used_again_and_again_are_refused():
    text = b"a" * 100_000
    call = b"cnumpy.core.numeric\n_frombuffer\n(h\x01h\x02(J" + struct.pack("<i", len(text)) + b"tS'C'\ntR"
    start = b"c_codecs\nencode\n(X" + struct.pack("<I", len(text)) + text + b"S'latin1'\ntRq\x01"
    kind = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntRq\x02"
    with pytest.raises(ValueError, match="again and again"):
        load(b"(" + start + kind + call * 10_000 + b"t.", "x.bin")
    assert load(b"(" + start + kind + call + b"t.", "x.bin")[2].shape == (100_000,)


def test_too_many_instructions_are_refused(monkeypatch):
    monkeypatch.setattr("datamodules.formats.safe_pickle.INSTRUCTIONS", 1000)
    with pytest.raises(ValueError, match="offset 999: more than 1000 instructions"):
        load(b"N" * 2000, "x.bin")


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_ends_anywhere_is_refused(protocol):
    arrays = [np.arange(7, dtype=np.uint8), b"\xff\xd8abc"]
    data = pickle.dumps((arrays, [True]), protocol)
    for length in range(len(data)):
        with pytest.raises(ValueError, match=r"^x\.bin, offset \d+: "):
            load(data[:length], "x.bin")


@settings(max_examples=600, deadline=None)
@given(st.integers(0, 5), st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_gives_the_same_kinds(protocol, place, change):
    data = bytearray(pickle.dumps(([np.arange(7, dtype=np.uint8), b"\xff\xd8abc"], [True, False]), protocol))
    data[place % len(data)] ^= change
    refused_or_read(bytes(data))


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_random_programs_are_refused_or_read(data):
    codes = [code.code.encode("latin-1") for code in pickletools.opcodes]
    pieces = st.one_of(st.sampled_from(codes), st.binary(max_size=4), st.sampled_from([b"0\n", b"\0\0\0", b"numpy\ndtype\n"]))
    program = b"".join(data.draw(st.lists(pieces, max_size=30))) + b"."
    refused_or_read(program)


def test_the_offset_is_that_of_the_instruction():
    good = pickle.dumps([b"abc"] * 3, 4)[:-1]
    with pytest.raises(ValueError, match=rf"^x\.bin, offset {len(good)}: the pickle would import os\.system"):
        load(good + b"cos\nsystem\n.", "x.bin")


def test_agrees_with_python_on_random_lists():
    rng = random.Random(0)
    for _ in range(200):
        value = ([rng.randbytes(rng.randrange(300)) for _ in range(6)], [rng.random() < 0.5 for _ in range(3)])
        file = io.BytesIO()
        pickle.Pickler(file, rng.randrange(6)).dump(value)
        assert read(file.getvalue()) == pickle.loads(file.getvalue()) == value

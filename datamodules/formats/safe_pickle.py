"""Reads pickles of lists, booleans, bytes and byte arrays without executing code.

A pickle is a program for a stack machine that can call any importable function. This interpreter calls no functions:
``_reduce`` handles the few known names, and everything else is refused. Bytes are not copied; the result refers to their place
in the file, so memory is bounded by the number of instructions.

Language: Python's module ``pickletools``, protocols 0 to 5.
"""

from __future__ import annotations

import codecs
import math
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

INSTRUCTIONS = 5_000_000  # enough for a file of a million pairs
LINE = 1 << 28  # maximum bytes of a line in protocol 0, which may contain an image
RAW, UTF8, ESCAPED, UNICODE = range(4)  # encodings of bytes

_ARRAYS = ("numpy.core.multiarray", "numpy._core.multiarray")
_KNOWN = {
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
    ("numpy", "dtype"): "dtype",
    ("numpy", "ndarray"): "ndarray",
    **{(module, "_reconstruct"): "_reconstruct" for module in _ARRAYS},
    **{(module, "scalar"): "scalar" for module in _ARRAYS},
    ("numpy.core.numeric", "_frombuffer"): "_frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "_frombuffer",
}
_TYPES = {"u1": "u1", "|u1": "u1", "uint8": "u1", "b1": "b1", "|b1": "b1", "?": "b1", "bool": "b1"}


class Stored(NamedTuple):
    """Bytes in the file: location and encoding."""

    offset: int
    length: int
    coding: int


class Text(NamedTuple):
    """Text in the file; Python 3 stores bytes as text in protocols without a bytes type."""

    offset: int
    length: int
    coding: int


class Name(NamedTuple):
    """A global that the pickle wants to import."""

    what: str


@dataclass
class Kind:
    """The dtype of an array: u1 (bytes) or b1 (booleans)."""

    code: str


@dataclass
class Array:
    """A numpy array of bytes or booleans."""

    kind: str | None = None
    shape: tuple[int, ...] = ()
    data: Stored | None = None


class _Mark:
    pass


def stored_bytes(data: bytes, coding: int) -> bytes:
    """The decoded bytes of a ``Stored``, where ``data`` are its bytes in the file.

    Raises:
        ValueError: ``data`` is not encoded as ``coding`` says.
    """
    try:
        if coding == UTF8:
            return data.decode("utf-8").encode("latin-1")
        if coding == UNICODE:
            return data.decode("raw-unicode-escape").encode("latin-1")
        if coding == ESCAPED:
            return codecs.escape_decode(data)[0]
    except ValueError as error:
        raise ValueError(f"bytes that are not written as a pickle writes them ({error})") from error
    return data


def load(data: bytes, name: str) -> Any:
    """The content of the pickle: lists, tuples, integers, booleans, None, ``Stored``, ``Text`` and ``Array``.

    Raises:
        ValueError: it contains anything else, is damaged or truncated; starts with ``name`` and the offset.
    """
    machine = _Machine(data)
    try:
        return machine.run()
    except (ValueError, IndexError, struct.error, RecursionError) as error:
        why = "the stack is empty" if isinstance(error, IndexError) else str(error)
        raise ValueError(f"{name}, offset {machine.start}: {why}") from error


class _Machine:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.start = 0  # of the instruction
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.decoded = 0  # bytes; a small pickle may refer to the same data any number of times

    def run(self) -> Any:
        for _ in range(INSTRUCTIONS):
            self.start = self.at
            code = self.take(1)
            if code == b".":
                return self.stop()
            step = _STEPS.get(code)
            if step is None:
                raise ValueError(f"the instruction {code!r} is not needed for images, and is refused")
            step(self)
        raise ValueError(f"more than {INSTRUCTIONS} instructions; no list of images needs so many")

    def stop(self) -> Any:
        found = self.pop()
        if self.stack:
            raise ValueError(f"the pickle ends with {len(self.stack)} objects left over")
        if self.at != len(self.data):
            raise ValueError(f"the pickle ends here, but {len(self.data) - self.at} bytes follow")
        return found

    # Reading

    def take(self, length: int) -> bytes:
        place = self.skip(length)
        return self.data[place : place + length]

    def skip(self, length: int) -> int:
        place = self.at
        if length > len(self.data) - place:
            raise ValueError(f"{length} bytes are announced, but the file ends after {len(self.data) - place}")
        self.at += length
        return place

    def number(self, code: str) -> int:
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def line(self) -> tuple[int, int]:
        place = self.at
        end = self.data.find(b"\n", place, place + LINE)
        if end < 0:
            raise ValueError("the line has no end")
        self.at = end + 1
        return place, end - place

    def word(self) -> str:
        place, length = self.line()
        return self.data[place : place + min(length, 200)].decode("utf-8", "replace")

    def whole(self) -> int:
        text = self.word().removesuffix("L")
        if not text.lstrip("-").isdecimal() or len(text) > 20:
            raise ValueError(f"expected a whole number, found {text[:40]!r}")
        return int(text)

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _Mark:
            raise ValueError("an object is due, found a mark")
        return value

    def top(self) -> Any:
        if self.stack[-1] is _Mark:
            raise ValueError("an object is due, found a mark")
        return self.stack[-1]

    def to_mark(self) -> list[Any]:
        found = []
        while (value := self.stack.pop()) is not _Mark:
            found.append(value)
        return found[::-1]

    def tuple_of(self, count: int) -> None:
        found = [self.pop() for _ in range(count)]
        self.push(tuple(found[::-1]))

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise ValueError("appends to what is no list")
        target += values

    def remember(self, place: int) -> None:
        self.memo[place] = self.top()

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise ValueError(f"asks for object {place} of the memo, which is not there")
        self.push(self.memo[place])

    # Values

    def text_line(self) -> None:
        place, length = self.line()
        self.push(Text(place, length, UNICODE))

    def quoted_line(self) -> None:
        place, length = self.line()
        quote = self.data[place : place + 1]
        if length < 2 or quote not in (b"'", b'"') or self.data[place + length - 1 : place + length] != quote:
            raise ValueError("expected text in quotes")
        self.push(Stored(place + 1, length - 2, ESCAPED))

    def integer_line(self) -> None:
        place, length = self.line()
        text = self.data[place : place + min(length, 3)]
        if text in (b"00", b"01"):  # booleans in protocols 0 and 1
            self.push(text == b"01")
        else:
            self.at = place
            self.push(self.whole())

    def stored(self, code: str) -> None:
        length = self.number(code)
        if length < 0:
            raise ValueError(f"{length} bytes are announced")
        self.push(Stored(self.skip(length), length, RAW))

    def text(self, code: str) -> None:
        length = self.number(code)
        self.push(Text(self.skip(length), length, UTF8))

    def long(self, code: str) -> None:
        length = self.number(code)
        if not 0 <= length <= 16:
            raise ValueError(f"a whole number of {length} bytes")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def frame(self) -> None:
        length = self.number("<Q")
        if length > len(self.data) - self.at:
            raise ValueError(f"a frame of {length} bytes is announced, but the file ends after {len(self.data) - self.at}")

    def protocol(self) -> None:
        found = self.number("<B")
        if found > 5:
            raise ValueError(f"protocol {found}; 0 to 5 are known")

    # Imports and calls

    def named(self, module: str, name: str) -> None:
        if (module, name) not in _KNOWN:
            raise ValueError(f"the pickle would import {module}.{name}, which is refused: a list of images has no need of it")
        self.push(Name(_KNOWN[module, name]))

    def stack_named(self) -> None:
        name, module = self.pop(), self.pop()
        self.named(self.string(module), self.string(name))

    def string(self, value: Any) -> str:
        if not isinstance(value, (Stored, Text)) or value.length > 200:
            raise ValueError("expected a short text")
        return stored_bytes(self.data[value.offset : value.offset + value.length], value.coding).decode("latin-1")

    def reduce(self) -> None:
        arguments, name = self.pop(), self.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ValueError("calls what is no function that is known")
        match name.what, arguments:
            case "encode", (Text() as text, coding) if self.string(coding) in ("latin1", "latin-1"):
                self.push(Stored(*text))
            case "bytes", ():
                self.push(Stored(self.start, 0, RAW))
            case "dtype", (code, *_):
                self.push(Kind(self.kind(code)))
            case "_reconstruct", (Name("ndarray"), (0,), _):
                self.push(Array())
            case "_frombuffer", (Stored() as data, Kind() as kind, tuple() as shape, _):
                self.push(self.filled(Array(), kind, shape, data))
            case "scalar", (Kind("b1"), Stored() as data):
                self.push(self.bytes_of(data) != b"\0")
            case what, _:
                raise ValueError(f"calls {what} with what no list of images calls it")

    def build(self) -> None:
        state, target = self.pop(), self.top()
        match target, state:
            case Kind(), (int(), Stored() | Text() as order, *_) if self.string(order) == "|":
                pass  # byte order does not apply to bytes, and the rest repeats the dtype
            case Array(data=None), (int(), tuple() as shape, Kind() as kind, _, Stored() as data):
                self.filled(target, kind, shape, data)
            case _:
                raise ValueError("sets the state of what is no array, or sets it otherwise")

    def kind(self, code: Any) -> str:
        text = self.string(code)
        if text not in _TYPES:
            raise ValueError(f"an array of {text!r}; bytes (u1) and truth values (b1) are known")
        return _TYPES[text]

    def filled(self, array: Array, kind: Kind, shape: tuple[Any, ...], data: Stored) -> Array:
        if not all(isinstance(side, int) and side >= 0 for side in shape) or len(shape) > 32:
            raise ValueError("an array whose shape is no list of whole numbers")
        length = len(self.bytes_of(data)) if data.coding != RAW else data.length
        if math.prod(shape) != length:
            raise ValueError(f"an array of shape {shape} with {length} bytes")
        array.kind, array.shape, array.data = kind.code, shape, data
        return array

    def bytes_of(self, value: Stored) -> bytes:
        self.decoded += value.length
        if self.decoded > 4 * len(self.data) + 1000:
            raise ValueError("the same bytes are used again and again")
        return stored_bytes(self.data[value.offset : value.offset + value.length], value.coding)


_STEPS = {
    b"\x80": _Machine.protocol,
    b"\x95": _Machine.frame,
    b"(": lambda m: m.push(_Mark),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": _Machine.integer_line,
    b"L": lambda m: m.push(m.whole()),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.long("<B"),
    b"\x8b": lambda m: m.long("<i"),
    b"S": _Machine.quoted_line,
    b"U": lambda m: m.stored("<B"),
    b"T": lambda m: m.stored("<i"),
    b"C": lambda m: m.stored("<B"),
    b"B": lambda m: m.stored("<I"),
    b"\x8e": lambda m: m.stored("<Q"),
    b"\x96": lambda m: m.stored("<Q"),
    b"V": _Machine.text_line,
    b"\x8c": lambda m: m.text("<B"),
    b"X": lambda m: m.text("<I"),
    b"\x8d": lambda m: m.text("<Q"),
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.to_mark()),
    b"a": lambda m: m.append([m.pop()]),
    b"e": lambda m: m.append(m.to_mark()),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.to_mark())),
    b"\x85": lambda m: m.tuple_of(1),
    b"\x86": lambda m: m.tuple_of(2),
    b"\x87": lambda m: m.tuple_of(3),
    b"p": lambda m: m.remember(m.whole()),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(m.whole()),
    b"h": lambda m: m.recall(m.number("<B")),
    b"j": lambda m: m.recall(m.number("<I")),
    b"c": lambda m: m.named(m.word(), m.word()),
    b"\x93": _Machine.stack_named,
    b"R": _Machine.reduce,
    b"b": _Machine.build,
}

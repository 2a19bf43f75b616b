"""Reads pickles of lists, booleans, bytes and byte arrays without executing code.

A pickle is a program for a stack machine that can call any importable function. This interpreter calls no functions:
``_reduce`` handles the few known names, and everything else is refused. Bytes are not copied; the result refers to their place
in the file, so memory is bounded by the number of instructions.

Python's ``pickletools`` reads the instructions, of protocols 0 to 5. ``pickle.Unpickler`` with a list of allowed names would
copy every image, and would not report its place in the file.
"""

from __future__ import annotations

import codecs
import io
import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

INSTRUCTIONS = 5_000_000  # enough for a file of a million pairs
BITS = 128  # of a whole number
RAW, UTF8, ESCAPED, UNICODE = range(4)  # encodings of bytes

_OPCODES = {one.code: one for one in pickletools.opcodes}
_KNOWN = {"_codecs.encode", "__builtin__.bytes", "builtins.bytes", "numpy.dtype", "numpy.ndarray"} | {
    f"numpy.{core}.{name}"
    for core in ("core", "_core")
    for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
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
    except (ValueError, IndexError, RecursionError) as error:
        why = "the stack is empty" if isinstance(error, IndexError) else str(error)
        raise ValueError(f"{name}, offset {machine.start}: {why}") from error


class _Machine:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.file = io.BytesIO(data)
        self.start = 0  # of the instruction
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.decoded = 0  # bytes; a small pickle may refer to the same data any number of times

    def run(self) -> Any:
        for _ in range(INSTRUCTIONS):
            self.start = self.file.tell()
            code = self.file.read(1).decode("latin-1")
            if not code:
                raise ValueError("the pickle has no end")
            step = _STEPS.get(found.name) if (found := _OPCODES.get(code)) else None
            if found is None or step is None:
                raise ValueError(f"the instruction {code!r} is not needed for images, and is refused")
            if found.name == "STOP":
                return self.stop()
            step(self, found.arg.reader(self.file) if found.arg and found.name != "STRING" else None)
        raise ValueError(f"more than {INSTRUCTIONS} instructions; no list of images needs so many")

    def stop(self) -> Any:
        found = self.pop()
        if self.stack:
            raise ValueError(f"the pickle ends with {len(self.stack)} objects left over")
        if self.file.tell() != len(self.data):
            raise ValueError(f"the pickle ends here, but {len(self.data) - self.file.tell()} bytes follow")
        return found

    # The stack

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _Mark:
            raise ValueError("an object is due, found a mark")
        return value

    def top(self) -> Any:
        self.push(value := self.pop())
        return value

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

    def integer(self, value: int) -> None:
        if value.bit_length() > BITS:
            raise ValueError(f"a whole number of {value.bit_length()} bits")
        self.push(value)

    def stored(self, value: bytes | str) -> None:
        self.push(Stored(self.file.tell() - len(value), len(value), RAW))

    def text(self, head: int, coding: int = UTF8, end: int = 0) -> None:
        """The text between the first ``head`` and the last ``end`` bytes of the instruction."""
        place = self.start + head
        self.push(Text(place, self.file.tell() - end - place, coding))

    def quoted(self) -> None:
        line = self.file.readline()  # the reader of pickletools takes only ASCII
        if len(line) < 3 or line[:1] not in (b"'", b'"') or line[-2:] != line[:1] + b"\n":
            raise ValueError("expected text in quotes")
        self.push(Stored(self.start + 2, len(line) - 3, ESCAPED))

    def frame(self, length: int) -> None:
        left = len(self.data) - self.file.tell()
        if length > left:
            raise ValueError(f"a frame of {length} bytes is announced, but the file ends after {left}")

    def protocol(self, found: int) -> None:
        if found > 5:
            raise ValueError(f"protocol {found}; 0 to 5 are known")

    # Imports and calls

    def named(self, module: str, name: str) -> None:
        if f"{module}.{name}" not in _KNOWN:
            raise ValueError(
                f"the pickle would import {module[:100]}.{name[:100]}, which is refused: a list of images has no need of it"
            )
        self.push(Name(name))

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


_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "STOP": lambda m, _: None,
    "PROTO": _Machine.protocol,
    "FRAME": _Machine.frame,
    "MARK": lambda m, _: m.push(_Mark),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    **dict.fromkeys(("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4"), _Machine.integer),
    "STRING": lambda m, _: m.quoted(),
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), _Machine.stored),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"), _Machine.stored),
    "UNICODE": lambda m, _: m.text(1, UNICODE, end=1),
    "SHORT_BINUNICODE": lambda m, _: m.text(2),
    "BINUNICODE": lambda m, _: m.text(5),
    "BINUNICODE8": lambda m, _: m.text(9),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "LIST": lambda m, _: m.push(m.to_mark()),
    "APPEND": lambda m, _: m.append([m.pop()]),
    "APPENDS": lambda m, _: m.append(m.to_mark()),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE": lambda m, _: m.push(tuple(m.to_mark())),
    "TUPLE1": lambda m, _: m.tuple_of(1),
    "TUPLE2": lambda m, _: m.tuple_of(2),
    "TUPLE3": lambda m, _: m.tuple_of(3),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.remember),
    "MEMOIZE": lambda m, _: m.remember(len(m.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.recall),
    "GLOBAL": lambda m, arg: m.named(*arg.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.stack_named(),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}

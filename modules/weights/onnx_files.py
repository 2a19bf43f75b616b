"""ONNX files of unknown origin: what a file refers to is checked before anything runs it.

The check reads the file's structure only (no external data, no operator is run): every tensor has the bytes that its shape
needs, external data lies inside the file's folder, and every operator is one that ONNX Runtime itself has.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from modules.weights.files import sha256

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})  # of the operators that ONNX Runtime implements
LARGEST = 2 << 30  # bytes: a protobuf cannot be larger
MOST = 8 << 30  # bytes of all weights together


@dataclass(frozen=True)
class OnnxFile:
    """What an ONNX file says about itself.

    Attributes:
        path: the file
        data: files of external data, all inside the folder of ``path``
        input: name of the image input
        shape: its four sides; None where the file leaves one open
        outputs: names, in the file's order
    """

    path: Path
    data: tuple[Path, ...]
    input: str
    shape: tuple[int | None, int | None, int | None, int | None]
    outputs: tuple[str, ...]

    @property
    def nhwc(self) -> bool:
        """Whether images are (N, height, width, 3); (N, 3, height, width) if the file leaves both open."""
        return self.shape[1] != 3 and self.shape[3] == 3

    @property
    def size(self) -> tuple[int | None, int | None]:
        """(height, width) of its images; None where the file leaves one open."""
        return (self.shape[1], self.shape[2]) if self.nhwc else (self.shape[2], self.shape[3])

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the file, and of its external data if it has any."""
        if not self.data:
            return sha256(self.path)
        return hashlib.sha256("\n".join(map(sha256, (self.path, *self.data))).encode()).hexdigest()


def inspect(path: Path) -> OnnxFile:
    """Checks a file and returns what it says about itself.

    Raises:
        ValueError: the file is missing, truncated or no ONNX file; it refers to data outside its folder or to operators that
            ONNX Runtime does not have; a tensor's bytes do not fit its shape; it has no single image input. One line.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: {path.stat().st_size:,} bytes; an ONNX file has at most {LARGEST:,}, its weights beside it")
    try:
        model = onnx.load_model(path, load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise ValueError(f"{path}: truncated, or no ONNX file; export it again") from error
    if not model.graph.node or not model.graph.output:
        raise ValueError(f"{path}: truncated, or no ONNX file: it has no operators or no outputs; export it again")
    _check_operators(path, model)
    data = _check_tensors(path, model)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs) or "none"
        raise ValueError(f"{path}: has {len(inputs)} inputs ({names}); a face network has one, a batch of images")
    sides = [side.dim_value or None for side in inputs[0].type.tensor_type.shape.dim]
    if len(sides) != 4 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ValueError(f"{path}: input {inputs[0].name} has {len(sides)} sides; expected a batch of float images, four sides")
    if 3 not in (sides[1], sides[3]) and None not in (sides[1], sides[3]):
        raise ValueError(f"{path}: input {inputs[0].name} is {sides}; expected (N, 3, H, W) or (N, H, W, 3)")
    outputs = tuple(one.name for one in model.graph.output)
    return OnnxFile(path, data, inputs[0].name, (sides[0], sides[1], sides[2], sides[3]), outputs)


def _check_operators(path: Path, model: Any) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own:
            raise ValueError(
                f"{path}: operator {node.domain}::{node.op_type} is a custom one, whose code the file does not have; "
                "export the network with standard operators"
            )


def _nodes(model: Any) -> Iterator[Any]:
    """Every node, also of functions and of the graphs inside nodes."""
    waiting = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting += graph.node


def _tensors(model: Any) -> Iterator[Any]:
    graphs = [model.graph]
    for node in _nodes(model):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            graphs += (attribute.g, *attribute.graphs)
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _check_tensors(path: Path, model: Any) -> tuple[Path, ...]:
    """The files of external data, each once."""
    import onnx

    files: dict[Path, None] = {}
    total = 0
    for tensor in _tensors(model):
        if tensor.data_type == onnx.TensorProto.UNDEFINED or tensor.data_type == onnx.TensorProto.STRING:
            continue
        if tensor.data_type not in onnx.TensorProto.DataType.values():
            raise ValueError(f"{path}: tensor {tensor.name} has the unknown type {tensor.data_type}; the file is damaged")
        name = onnx.TensorProto.DataType.Name(tensor.data_type)
        needed = (prod(tensor.dims) * BITS.get(name, 32) + 7) // 8
        total += needed
        if min(tensor.dims, default=0) < 0 or total > MOST:
            raise ValueError(
                f"{path}: tensor {tensor.name} of shape {tuple(tensor.dims)} brings the weights to {total:,} bytes; at most "
                f"{MOST:,} are read"
            )
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            files[_external(path, tensor, needed)] = None
        elif tensor.raw_data and len(tensor.raw_data) != needed:
            raise ValueError(
                f"{path}: tensor {tensor.name} of shape {tuple(tensor.dims)} needs {needed:,} bytes and has "
                f"{len(tensor.raw_data):,}; the file is damaged"
            )
        elif not tensor.raw_data and needed > 64 * (tensor.ByteSize() + 1):
            raise ValueError(
                f"{path}: tensor {tensor.name} of shape {tuple(tensor.dims)} needs {needed:,} bytes, and the file holds "
                f"{tensor.ByteSize():,} of it; the file is damaged"
            )
    return tuple(files)


BITS = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "INT64": 64, "UINT64": 64, "INT32": 32, "UINT32": 32,
    "INT16": 16, "UINT16": 16, "INT8": 8, "UINT8": 8, "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128, "INT4": 4, "UINT4": 4,
    "FLOAT8E4M3FN": 8, "FLOAT8E4M3FNUZ": 8, "FLOAT8E5M2": 8, "FLOAT8E5M2FNUZ": 8, "FLOAT4E2M1": 4, "FLOAT8E8M0": 8,
    "INT2": 2, "UINT2": 2,
}  # fmt: skip


def _external(path: Path, tensor: Any, needed: int) -> Path:
    """The file with a tensor's data; raises ValueError unless it lies inside the folder of ``path`` and is long enough."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    place = Path(os.path.realpath(folder / location)) if location else folder
    if not location or "\0" in location or os.path.isabs(location) or not place.is_relative_to(folder) or place == folder:
        raise ValueError(
            f"{path}: tensor {tensor.name} has its data in {location!r}, outside the file's folder; it is not read"
        )
    if not place.is_file():
        raise ValueError(f"{path}: tensor {tensor.name} has its data in {location!r}, which is no file here; put it beside")
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(needed)))
    except ValueError as error:
        raise ValueError(f"{path}: tensor {tensor.name} has an offset or length that is no number; damaged") from error
    if offset < 0 or length != needed or offset + length > place.stat().st_size:
        raise ValueError(
            f"{path}: tensor {tensor.name} needs {needed:,} bytes at {offset:,} of {location!r}, which has "
            f"{place.stat().st_size:,}; the files do not belong together"
        )
    return place

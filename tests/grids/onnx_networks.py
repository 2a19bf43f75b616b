"""Small ONNX networks for tests, made operator by operator."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 32


def matrix(dimension: int = 4, seed: int = 0) -> np.ndarray:
    """float32 (3 * 16, dimension): the weights of ``network``."""
    return np.random.default_rng(seed).normal(size=(48, dimension)).astype(np.float32)


def network(dimension: int = 4, batch: int | str = "N", seed: int = 0, layout: str = "nchw") -> Any:
    """Means of 4 x 4 squares of images of ``SIZE`` pixels, times ``matrix``: linear in the pixels."""
    sides = [batch, 3, SIZE, SIZE] if layout == "nchw" else [batch, SIZE, SIZE, 3]
    before = [] if layout == "nchw" else [helper.make_node("Transpose", ["images"], ["turned"], perm=[0, 3, 1, 2])]
    first = "images" if layout == "nchw" else "turned"
    nodes = [
        *before,
        helper.make_node("AveragePool", [first], ["map"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["map"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, sides)
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, dimension])
    graph = helper.make_graph(nodes, "small", [images], [output], [numpy_helper.from_array(matrix(dimension, seed), "matrix")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def opened(model: Any, side: int) -> Any:
    """``network`` whose squares are those of images of ``side`` pixels, and which does not say so."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for node in changed.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("kernel_shape", "strides"):
                attribute.ints[:] = [side // 4, side // 4]
    for place, name in ((2, "height"), (3, "width")):
        changed.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
    return changed


def framed(dimension: int = 8, side: int = 224) -> Any:
    """``network`` on the first ``side`` x ``side`` pixels of an image, zeros where it is smaller: it was made for that size."""
    constants = {
        "pads": np.array([0, 0, 0, 0, 0, 0, side // 2, side // 2]),
        "starts": np.array([0, 0]),
        "ends": np.array([side, side]),
        "axes": np.array([2, 3]),
        "matrix": matrix(dimension),
    }
    nodes = [
        helper.make_node("Pad", ["images", "pads"], ["padded"]),
        helper.make_node("Slice", ["padded", "starts", "ends", "axes"], ["frame"]),
        helper.make_node("AveragePool", ["frame"], ["map"], kernel_shape=[side // 4] * 2, strides=[side // 4] * 2),
        helper.make_node("Flatten", ["map"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, "height", "width"])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "framed", [images], [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def pooled(frequency: int = 8) -> Any:
    """A network for images of any size: means of the squared horizontal differences between pixels ``frequency`` apart."""
    kernel = np.zeros((6, 3, 1, frequency + 1), np.float32)
    rng = np.random.default_rng(0)
    kernel[:, :, 0, 0] = rng.normal(size=(6, 3))
    kernel[:, :, 0, -1] = -kernel[:, :, 0, 0]
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["map"]),
        helper.make_node("Mul", ["map", "map"], ["squares"]),
        helper.make_node("GlobalAveragePool", ["squares"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, "height", "width"])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 6])
    graph = helper.make_graph(nodes, "pooled", [images], [output], [numpy_helper.from_array(kernel, "kernel")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def save(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def naive(images: np.ndarray, dimension: int = 4, seed: int = 0) -> np.ndarray:
    """What ``network`` computes, of images (N, 3, SIZE, SIZE)."""
    squares = images.reshape(len(images), 3, 4, 8, 4, 8).mean(axis=(3, 5))
    return squares.reshape(len(images), 48) @ matrix(dimension, seed)


def external(model: Any, location: str, length: int | None = None) -> Any:
    """The model with its weights said to be in another file."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    tensor = changed.graph.initializer[0]
    entries = {"location": location} | ({} if length is None else {"length": str(length)})
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return changed

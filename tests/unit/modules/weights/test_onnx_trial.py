"""One run of an ONNX file in a process of its own."""

from pathlib import Path

import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import SIZE, network, save

import numpy as np  # isort: skip

from modules.weights.onnx_trial import trial


def test_the_trial_tells_the_shapes_of_the_outputs(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network(dimension=7))
    assert trial(path, "images", (2, 3, SIZE, SIZE)) == {"embedding": [2, 7]}


def test_what_onnx_runtime_rejects_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network())
    with pytest.raises(ValueError, match=r"a\.onnx: ONNX Runtime cannot run it") as error:
        trial(path, "images", (1, 3, 8, 9))
    assert "\n" not in str(error.value)


def test_a_network_that_asks_for_all_memory_ends_in_its_own_process(tmp_path: Path) -> None:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0),
        helper.make_node("Add", ["huge", "sum"], ["embedding"]),
    ]
    graph = helper.make_graph(nodes, "huge", [images], [output], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    before = set(tmp_path.iterdir())
    path = save(tmp_path / "a.onnx", model)
    with pytest.raises(ValueError, match=r"a\.onnx: (ONNX Runtime cannot run it|its process ended)"):
        trial(path, "images", (1, 3, SIZE, SIZE), memory=2 << 30)
    assert set(tmp_path.iterdir()) == before | {path}


def test_a_network_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network())
    with pytest.raises(ValueError, match="takes longer than 0 seconds"):
        trial(path, "images", (1, 3, SIZE, SIZE), seconds=0)

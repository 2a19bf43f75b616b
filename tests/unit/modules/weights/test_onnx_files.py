"""ONNX files of unknown origin."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_networks import SIZE, external, matrix, network, save

from modules.weights.onnx_files import inspect


def test_a_file_says_its_input_and_outputs(tmp_path: Path) -> None:
    file = inspect(save(tmp_path / "a.onnx", network()))
    assert (file.input, file.outputs, file.nhwc, file.size) == ("images", ("embedding",), False, (SIZE, SIZE))
    assert file.shape[0] is None
    turned = inspect(save(tmp_path / "b.onnx", network(layout="nhwc", batch=1)))
    assert (turned.nhwc, turned.size, turned.shape[0]) == (True, (SIZE, SIZE), 1)


def test_external_data_beside_the_file_belongs_to_its_digest(tmp_path: Path) -> None:
    data = tmp_path / "weights.bin"
    data.write_bytes(matrix().tobytes())
    path = save(tmp_path / "a.onnx", external(network(), "weights.bin", data.stat().st_size))
    before = inspect(path)
    assert before.data == (data.resolve(),)
    digest = before.digest
    data.write_bytes((matrix() + 1).tobytes())
    os.utime(data, ns=(0, 0))  # digests are cached by time
    assert inspect(path).digest != digest


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link.bin", "", "."])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(matrix().tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(secret)
    with pytest.raises(ValueError, match=r"a\.onnx: tensor matrix has its data in .*, outside the file's folder") as error:
        inspect(save(folder / "a.onnx", external(network(), location)))
    assert "\n" not in str(error.value)


def test_external_data_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"needs 768 bytes at 0 of 'weights\.bin', which has 5"):
        inspect(save(tmp_path / "a.onnx", external(network(), "weights.bin")))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    whole = network().SerializeToString()
    path = tmp_path / "a.onnx"
    for end in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"a\.onnx: truncated, or no ONNX file"):
            inspect(path)


def test_custom_operators_are_refused_also_in_inner_graphs(tmp_path: Path) -> None:
    node = helper.make_node("Evil", ["flat"], ["x"], domain="my.lab")
    model = network()
    model.graph.node.append(node)
    with pytest.raises(ValueError, match=r"operator my\.lab::Evil is a custom one"):
        inspect(save(tmp_path / "a.onnx", model))
    inner = network()
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)])
    inner.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))
    with pytest.raises(ValueError, match=r"operator my\.lab::Evil"):
        inspect(save(tmp_path / "b.onnx", inner))


def test_a_tensor_larger_than_its_bytes_is_refused(tmp_path: Path) -> None:
    for dims, said in (([10**6, 10**6], "at most"), ([48, 5], "needs 960 bytes and has 768"), ([-1, 4], "at most")):
        model: Any = network()
        model.graph.initializer[0].dims[:] = dims
        with pytest.raises(ValueError, match=said):
            inspect(save(tmp_path / "a.onnx", model))
    empty: Any = network()
    empty.graph.initializer[0].ClearField("raw_data")
    empty.graph.initializer[0].dims[:] = [1000, 1000]
    with pytest.raises(ValueError, match="the file is damaged"):
        inspect(save(tmp_path / "a.onnx", empty))


def test_a_network_without_one_image_input_is_refused(tmp_path: Path) -> None:
    two = network()
    two.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(ValueError, match=r"has 2 inputs \(images, more\)"):
        inspect(save(tmp_path / "a.onnx", two))
    gray = network()
    gray.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    with pytest.raises(ValueError, match="expected"):
        inspect(save(tmp_path / "a.onnx", gray))


def test_half_precision_weights_are_accepted(tmp_path: Path) -> None:
    model = network()
    tensor = helper.make_tensor("half", TensorProto.FLOAT16, [3], np.zeros(3, np.float16).tobytes(), raw=True)
    model.graph.initializer.append(tensor)
    assert inspect(save(tmp_path / "a.onnx", model)).input == "images"

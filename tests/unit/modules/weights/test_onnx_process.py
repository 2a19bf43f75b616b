"""An ONNX file in a process of its own: equal numbers, and what a hostile or too large network may not do."""

import json
import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_networks import SIZE, network, save

from modules.weights import onnx_process
from modules.weights.onnx_process import OnnxProcess

IMAGES = np.random.default_rng(0).uniform(-1, 1, (5, 3, SIZE, SIZE)).astype(np.float32)


def bright_ones_only(nodes: list[Any], weights: list[Any]) -> Any:
    """A network that works on dark images, and where the mean is above 0 does more."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("ReduceMax", ["mean"], ["brightest"], keepdims=0),
            *nodes,
        ],
        "late",
        [images],
        [output],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def scalar(value: Any, name: str, kind: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.array(value, kind), name)


def large(sides: int = 1 << 18) -> Any:
    """A square of that many numbers a side, if an image is bright."""
    return bright_ones_only(
        [
            helper.make_node("Relu", ["brightest"], ["positive"]),
            helper.make_node("Ceil", ["positive"], ["one"]),
            helper.make_node("Mul", ["one", "sides"], ["side"]),
            helper.make_node("Cast", ["side"], ["whole"], to=TensorProto.INT64),
            helper.make_node("Unsqueeze", ["whole", "first"], ["row"]),
            helper.make_node("Concat", ["row", "row"], ["shape"], axis=0),
            helper.make_node("ConstantOfShape", ["shape"], ["square"]),
            helper.make_node("ReduceSum", ["square"], ["total"], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "second"], ["column"]),
            helper.make_node("Add", ["column", "total"], ["embedding"]),
        ],
        [scalar(sides, "sides"), scalar([0], "first", np.int64), scalar([1], "second", np.int64)],
    )


def slow(times: float = 1e12) -> Any:
    """A loop of that many rounds, if an image is bright."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Cos", ["state"], ["next"])],
        "round",
        [info("round", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("state", TensorProto.FLOAT, ["N"])],
        [info("goes", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, ["N"])],
    )
    return bright_ones_only(
        [
            helper.make_node("Relu", ["brightest"], ["positive"]),
            helper.make_node("Ceil", ["positive"], ["one"]),
            helper.make_node("Mul", ["one", "times"], ["many"]),
            helper.make_node("Cast", ["many"], ["rounds"], to=TensorProto.INT64),
            helper.make_node("Loop", ["rounds", "", "mean"], ["state"], body=body),
            helper.make_node("Unsqueeze", ["state", "second"], ["embedding"]),
        ],
        [scalar(times, "times"), scalar([1], "second", np.int64)],
    )


DARK, BRIGHT = (np.full((2, 3, SIZE, SIZE), value, np.float32) for value in (-0.5, 0.5))


def test_its_numbers_are_those_of_onnx_runtime(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network(dimension=7))
    process = OnnxProcess(path, ["embedding"])
    known = onnxruntime.InferenceSession(str(path)).run(None, {"images": IMAGES})[0]
    for images, want in ((IMAGES, known), (IMAGES[:1], known[:1])):
        found = process.run("images", images)
        assert list(found) == ["embedding"]
        np.testing.assert_allclose(found["embedding"], want, rtol=0, atol=1e-6)
    assert process.shapes("images", IMAGES) == {"embedding": [5, 7]}


def test_a_batch_that_does_not_fit_is_one_line_and_the_next_one_runs(tmp_path: Path) -> None:
    process = OnnxProcess(save(tmp_path / "a.onnx", network()))
    with pytest.raises(ValueError, match=r"a\.onnx: ONNX Runtime cannot run it") as refused:
        process.run("images", IMAGES[..., :9])
    assert "\n" not in str(refused.value)
    assert process.run("images", IMAGES)["embedding"].shape == (5, 4)


def test_a_network_that_asks_for_all_memory_on_some_images_is_one_line(tmp_path: Path) -> None:
    """On noise around 0, as in the trial, it behaves."""
    process = OnnxProcess(save(tmp_path / "a.onnx", large()), memory=3 << 30)
    assert process.run("images", DARK)["embedding"].tolist() == [[-0.5], [-0.5]]
    with pytest.raises(ValueError, match=r"a\.onnx: (ONNX Runtime cannot run it|its process ended with status)") as refused:
        process.run("images", BRIGHT)
    assert "\n" not in str(refused.value)


def test_a_network_that_never_ends_on_some_images_is_ended(tmp_path: Path) -> None:
    process = OnnxProcess(save(tmp_path / "a.onnx", slow()), seconds=60, each=0)
    process.run("images", DARK)
    process.seconds = 2.0
    with pytest.raises(ValueError, match=r"a\.onnx: 2 images take longer than 2 seconds; the network is not run"):
        process.run("images", BRIGHT)
    assert process._process.poll() is not None, "it is gone"
    with pytest.raises(ValueError, match="its process has ended, so the network is not run again"):
        process.run("images", DARK)


def test_a_process_ends_with_its_owner(tmp_path: Path) -> None:
    """Also if the owner is killed while the network runs."""
    path = save(tmp_path / "a.onnx", slow())
    program = (
        "import sys, numpy as np; from pathlib import Path; from modules.weights.onnx_process import OnnxProcess\n"
        "process = OnnxProcess(Path(sys.argv[1])); print(process._process.pid, flush=True)\n"
        f"process.run('images', np.full((2, 3, {SIZE}, {SIZE}), 0.5, np.float32))"
    )
    owner = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    owner.kill()
    owner.wait()
    for _ in range(600):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            break
        time.sleep(0.1)
    else:
        os.kill(child, 9)
        pytest.fail("the process outlives its owner")


def test_it_ends_with_its_object(tmp_path: Path) -> None:
    process = OnnxProcess(save(tmp_path / "a.onnx", network()))
    process.shapes("images", IMAGES)
    child = process._process
    del process
    assert child.poll() == 0


def test_a_process_ends_if_its_owner_was_killed_while_it_started(tmp_path: Path) -> None:
    """Then it is the child of another process from its first line on."""
    asked = {"path": "a.onnx", "outputs": [], "threads": 1, "memory": 3 << 30, "owner": os.getpid() + 1}
    ours, theirs = Pipe()
    command = [sys.executable, "-P", onnx_process.__file__, json.dumps({**asked, "pipe": theirs.fileno()})]
    assert subprocess.run(command, pass_fds=[theirs.fileno()], timeout=60).returncode == 1
    ours.close()

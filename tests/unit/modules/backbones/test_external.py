"""A finished network in a file of its own."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx_networks import SIZE, naive, network, save

from configs.lookup import resolve
from modules.backbones.external import ExternalConfig
from modules.network import Network
from modules.shape_inference import feature_shape

GENERATOR = np.random.default_rng(3)
PIXELS = GENERATOR.integers(0, 256, (5, 3, SIZE, SIZE)).astype(np.float64)
IMAGES = torch.tensor(PIXELS / 127.5 - 1, dtype=torch.float32)


def built(path: Path, **settings: Any) -> Any:
    return ExternalConfig(path=path, dimension=4, **settings).build().eval()


def test_its_output_is_the_embedding_as_a_map_of_one_pixel(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network())
    found = built(path)(IMAGES)
    assert found.shape == (5, 4, 1, 1)
    np.testing.assert_allclose(found[:, :, 0, 0].numpy(), naive(PIXELS / 127.5 - 1), atol=2e-5)
    config = ExternalConfig(path=path, dimension=4)
    assert feature_shape(config, SIZE) == (4, 1, 1)
    parts: Any = [resolve("head", {"name": "gmp", "dimension": 4}), resolve("loss", "softmax")]
    whole = Network(config, *parts, classes=2, size=SIZE).eval()
    assert torch.equal(whole.embed(IMAGES), found[:, :, 0, 0])
    assert not [name for name in whole.state_dict() if name.startswith("backbone.")]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_it_sees_the_channels_and_the_range_that_it_expects(tmp_path: Path, layout: Any) -> None:
    path = save(tmp_path / "a.onnx", network(layout=layout))
    mean, std = (10.0, 20.0, 30.0), (50.0, 60.0, 70.0)
    found = built(path, order="bgr", mean=mean, std=std, layout=layout)(IMAGES)
    seen = (PIXELS[:, ::-1] - np.reshape(mean, (1, 3, 1, 1))) / np.reshape(std, (1, 3, 1, 1))
    np.testing.assert_allclose(found[:, :, 0, 0].numpy(), naive(seen), atol=1e-4)


def test_a_fixed_number_of_images_changes_nothing(tmp_path: Path) -> None:
    free = built(save(tmp_path / "a.onnx", network()))(IMAGES)
    for batch in (1, 3):
        fixed = built(save(tmp_path / f"{batch}.onnx", network(batch=batch)))(IMAGES)
        torch.testing.assert_close(fixed, free, atol=1e-6, rtol=0)


def test_it_cannot_be_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be trained; set recipe: none"):
        built(save(tmp_path / "a.onnx", network())).train()(IMAGES)


def test_a_wrong_dimension_or_output_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.onnx", network(dimension=6))
    with pytest.raises(ValueError, match=r"5 images give \(5, 6\); expected \(5, 4\)"):
        built(path)(IMAGES)
    with pytest.raises(ValueError, match=r"no output 'x' \(known: embedding\)"):
        built(path, output="x")(IMAGES)


def test_torchscript_runs_only_if_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    module = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(48, 4)).eval()
    torch.jit.save(torch.jit.trace(module, IMAGES), str(path))
    with pytest.raises(ValueError, match=r"a\.pt: TorchScript is a program .* backbone\.trusted: true"):
        built(path)(IMAGES)
    found = built(path, trusted=True)(IMAGES)
    torch.testing.assert_close(found[:, :, 0, 0], module(IMAGES), atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"a\.pt: the TorchScript network fails on images \(5, 3, 16, 16\)") as error:
        built(path, trusted=True)(IMAGES[..., :16, :16])
    assert "\n" not in str(error.value)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"a\.pt: no readable TorchScript file"):
        built(path, trusted=True)(IMAGES)


def test_weights_without_a_network_are_distinguished_from_a_damaged_file(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth: holds weights or a pickled module, and no TorchScript program"):
        built(tmp_path / "a.pth", trusted=True)(IMAGES)


def test_an_opened_network_can_be_sent_to_another_process(tmp_path: Path) -> None:
    one = built(save(tmp_path / "a.onnx", network()))
    found = one(IMAGES)
    assert torch.equal(pickle.loads(pickle.dumps(one))(IMAGES), found)


def test_a_forked_process_opens_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes must not write to one pipe."""
    from modules.weights import onnx_process

    started: list[Any] = []
    start = onnx_process.subprocess.Popen
    monkeypatch.setattr(onnx_process.subprocess, "Popen", lambda *args, **more: started.append(args) or start(*args, **more))
    one = built(save(tmp_path / "a.onnx", network()))
    found = one(IMAGES)
    assert torch.equal(one(IMAGES[:2]), found[:2])
    assert len(started) == 1
    one.embedding._owner += 1
    assert torch.equal(one(IMAGES), found)
    assert len(started) == 2

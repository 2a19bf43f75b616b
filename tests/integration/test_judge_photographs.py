"""``judge``, ``export`` and ``verify`` on a public network, MobileFaceNet, and photographs of LFW."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from command import call
from public_mobilefacenet import FMR, exported, network, protocol

from grid.export.embedder import Embedder
from grid.export.package import Package

pytestmark = pytest.mark.timeout(900)
GENUINE = (("Angela_Merkel", 1, 3), ("Jacques_Chirac", 2, 5))
IMPOSTORS = ((("Angela_Merkel", 1), ("Jacques_Chirac", 2)), (("Vladimir_Putin", 1), ("Bill_Gates", 3)))


@pytest.fixture(scope="module")
def package(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    return exported(shared, tmp_path_factory.mktemp("mobilefacenet"))


def photograph(shared: Path, who: str, number: int) -> Path:
    return shared / "data" / "lfw" / "images" / who / f"{who}_{number:04d}.jpg"


def test_verify_tells_two_genuine_pairs_of_lfw_from_two_impostor_pairs(shared: Path, package: Package) -> None:
    recorded: Any = package.record["threshold"]
    assert recorded["wished"] == FMR
    for who, one, other in GENUINE:
        said = call("verify", package.folder, photograph(shared, who, one), photograph(shared, who, other))
        assert said.startswith("same subject: similarity 0.")
        assert f"threshold {recorded['threshold']:.4f}\nfalse match rate {recorded['fmr']['value']:.2g} [" in said
    for sides in IMPOSTORS:
        decided = json.loads(call("verify", package.folder, *(photograph(shared, *side) for side in sides), "--json"))
        assert decided["similarity"] < decided["threshold"] == recorded["threshold"]
        assert not decided["same"]
        assert all(face["found"] for face in decided["faces"])


def test_checkpoint_onnx_and_pyfunc_give_equal_embeddings_of_photographs(
    shared: Path, package: Package, tmp_path: Path
) -> None:
    import mlflow
    import onnxruntime

    from grid.export.mlflow_model import model_arguments

    files = sorted((package.folder.parent / "images").glob("*/*_000[12].jpg"))[:24]
    crops, found = Embedder(package).crops(files)
    assert len(crops) == 24
    assert all(found)
    images = crops.astype(np.float32).transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
    session = onnxruntime.InferenceSession(str(package.folder / "model.onnx"))
    whole = network(shared)
    with torch.inference_mode():
        views = [(whole(torch.from_numpy(view)).numpy(), view) for view in (images, np.ascontiguousarray(images[..., ::-1]))]
    from_checkpoint = sum(embedding for embedding, _ in views)
    from_onnx = sum(session.run(None, {"images": view})[0] for _, view in views)
    mlflow.pyfunc.save_model(str(tmp_path / "model"), **model_arguments(package))
    from_pyfunc = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(crops)
    three = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (from_checkpoint, from_onnx, from_pyfunc)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        np.testing.assert_allclose(three[one], three[other], rtol=0, atol=1e-5)
    assert (three[0][::2] * three[0][1::2]).sum(1).min() < 0.9, "the photographs differ"


@pytest.mark.slow
def test_a_wrong_range_is_named_and_nothing_else(package: Package, tmp_path: Path) -> None:
    """Order and faces: tests/integration/test_judge_preprocessing_lfw.py, by the same survey."""
    home = package.folder.parent
    on = yaml.safe_dump(protocol(home / "images"), default_flow_style=True, width=10_000).strip()
    stated = ["--mean", 0, "--std", 255]
    store = home / "study" / "store"
    said = call(
        "judge", package.folder / "model.onnx", *stated, "--on", on, "--store", store, "--to", tmp_path / "s", "--fmr", 0.1
    )
    lines = [line for line in said.splitlines() if " (distance " in line]
    assert [line.split()[1].rstrip(":") for line in lines] == ["faces", "range", "order"]
    for line in lines:
        if line.startswith("model.onnx: range: "):
            assert line.endswith("x / 255 looks wrong; it was stated, so it is used")
        else:
            assert "no other is clearly better than" in line

"""``judge``, ``export``, ``embed`` and ``verify`` through the real command line."""

import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from command import call
from mlflow_server import Server
from onnx import helper
from onnx_networks import SIZE, external, matrix, naive, network, save
from PIL import Image
from sklearn.metrics import roc_auc_score
from small_export import study
from typer.testing import CliRunner

from configs.lookup import resolve
from grid.cli.main import app
from grid.export.embedder import Embedder
from grid.export.package import read_package
from grid.ledger.study import Study
from grid.spec.grid_file import BadInput
from grid.spec.stage_name import EVALUATE

pytestmark = pytest.mark.timeout(900)
DRAWN = "{name: drawn, subjects: 16, shots: 6, folds: 4}"
ROOT = Path(__file__).resolve().parents[2]
JUDGE = """
import sys
from grid.cli.main import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("imported:", sorted({"ray", "mlflow"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    data: Any = resolve("data", {"name": "drawn", "subjects": 2, "shots": 2})
    dataset, folder = data.build(data.manifest(Path())), tmp_path_factory.mktemp("faces")
    for row in range(4):
        assert cv2.imwrite(str(folder / f"{row}.png"), np.ascontiguousarray(dataset.image(row)[..., ::-1]))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("study") / "here").path


def test_a_study_is_exported_and_its_network_compares_photographs(tmp_path: Path, faces: list[Path], home: Path) -> None:
    model = tmp_path / "model"
    exported = json.loads(call("export", home, "--to", model, "--fmr", 0.1, "--json"))
    assert exported["threshold"]["wished"] == 0.1
    assert {path.name for path in model.iterdir()} == {"facegrid.json", "model.onnx", "model.safetensors"}
    decided = json.loads(call("verify", model, faces[0], faces[1], "--json"))
    assert decided["same"] == (decided["similarity"] >= exported["threshold"]["threshold"])
    assert "false match rate" in call("verify", model, faces[0], faces[2])
    call("embed", model, *faces, "--to", tmp_path / "e.npz")
    found = np.load(tmp_path / "e.npz")
    assert found["embeddings"][0] @ found["embeddings"][1] == pytest.approx(decided["similarity"], abs=1e-5)
    with pytest.raises(BadInput, match="exists already"):
        call("export", home, "--to", model)


@pytest.mark.slow
def test_an_exported_network_is_registered_with_a_server_and_works_from_there(
    tmp_path: Path, faces: list[Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    model = tmp_path / "model"
    with Server(tmp_path) as server:
        options = ["--fmr", 0.1, "--tracking", server.address, "--register", "faces", "--json"]
        first = json.loads(call("export", home, "--to", model, *options))["mlflow"]
        assert first["registered"] == "faces version 1"
        embedder = Embedder(read_package(model))
        images = embedder.crops(faces)[0]
        monkeypatch.chdir(tmp_path)  # nothing of the study or of the export is used
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(server.address)
        loaded = mlflow.pyfunc.load_model("models:/faces/1")
        np.testing.assert_allclose(loaded.predict(images), embedder.embed(images), atol=1e-5)
        assert loaded.metadata.metadata["threshold"] == json.loads((model / "facegrid.json").read_text())["threshold"]
        mlflow.set_tracking_uri(before)


@pytest.mark.slow
def test_onnx_files_are_judged_and_what_is_assumed_is_said(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{seed}.onnx", network(dimension=8, seed=seed)) for seed in (0, 1)]
    said = call("judge", *files, "--on", DRAWN, "--faces", "none", "--to", tmp_path / "study", "--fmr", 0.1, "--threads", 1)
    words = " ".join(said.split())
    assert "0.onnx: ONNX, 32 x 32 pixels, 8 numbers; RGB, (x - 127.5) / 127.5, faces: none (range, order guessed)" in words
    assert "on other subjects it is" in words
    assert "most_similar_impostor_pairs" in (tmp_path / "study" / "report" / "index.html").read_text(encoding="utf-8")
    again = json.loads(
        call("judge", *files, "--on", DRAWN, "--faces", "none", "--to", tmp_path / "study", "--threads", 1, "--json")
    )
    assert [one["model"] for one in again["thresholds"]] == ["model=0.onnx", "model=1.onnx"]


@pytest.mark.slow
def test_a_bin_of_photographs_is_judged_like_a_folder_of_the_same_crops(shared: Path, tmp_path: Path) -> None:
    """LFW's faces, aligned by five landmarks and packed as JPEG, as the public files are."""
    protocol: Any = resolve("protocol", {"name": "lfw", "root": str(shared / "data" / "lfw")})
    data = protocol.dataset()
    manifest = data.scan(tmp_path / "cache")
    pairs = protocol.pairs(manifest)
    kinds = [np.flatnonzero(pairs.same == same)[:20] for same in (True, False)]
    chosen = np.stack(kinds, 1).ravel()  # genuine and impostor pairs in turn
    rows = np.stack([pairs.left[chosen], pairs.right[chosen]], 1).ravel().tolist()
    dataset: Any = data.build(manifest)
    aligned: Any = resolve("detector", {"name": "mtcnn", "alignment": "similarity"}).build()  # type: ignore[attr-defined]
    files: dict[str, bytes] = {}
    for row in sorted(set(rows)):
        (face,) = aligned.detect([image := dataset.image(row)])
        packed = cv2.imencode(".jpg", np.ascontiguousarray(aligned.crop(image, face, 112)[..., ::-1]))[1]
        files[manifest.keys[row]] = packed.tobytes()
    keys = [manifest.keys[row] for row in rows]
    (tmp_path / "lfw.bin").write_bytes(pickle.dumps(([files[key] for key in keys], pairs.same[chosen].tolist()), 2))
    for key, packed in files.items():
        (tmp_path / "crops" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "crops" / key).write_bytes(packed)
    lines = zip(pairs.same[chosen].tolist(), keys[::2], keys[1::2], strict=True)
    (tmp_path / "list.txt").write_text("".join(f"{int(same)} {left} {right}\n" for same, left, right in lines))
    path = save(tmp_path / "a.onnx", network(dimension=8))
    folder = f"{{name: folder, root: {tmp_path / 'crops'}}}"
    listed = f"{{name: pairs, data: {folder}, file: {tmp_path / 'list.txt'}, layout: label_path_path}}"
    stated = ["--faces", "none", "--order", "rgb", "--mean", 127.5, "--std", 127.5, "--threads", 1, "--fmr", 0.2]
    found = []
    for name, on in (("one", f"bin={tmp_path / 'lfw.bin'}"), ("other", listed)):
        call("judge", path, "--on", on, *stated, "--to", tmp_path / name)
        (view,) = Study(tmp_path / name).cells
        (marker,) = (one for title, one in view.markers.items() if title.kind == EVALUATE)
        ledger = Study(tmp_path / name).ledger
        found.append((ledger.json(marker, "metrics.json"), pq.read_table(ledger.path(marker, "scores.parquet"))))
    (one, scores), (other, others) = found
    assert scores["score"].to_pylist() == others["score"].to_pylist()
    for key in ("auc", "eer", "ten_fold", "best_threshold"):
        assert one[key]["value"] == other[key]["value"], key

    cropped: Any = resolve("detector", "none").build()  # type: ignore[attr-defined]
    images = [np.array(Image.open(io.BytesIO(files[key])).convert("RGB")) for key in keys]
    pixels = np.stack([cropped.crop(image, cropped.detect([image])[0], SIZE) for image in images])
    vectors = naive(pixels.transpose(0, 3, 1, 2).astype(np.float64) / 127.5 - 1, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.einsum("nd,nd->n", vectors[::2], vectors[1::2])
    np.testing.assert_allclose(scores["score"].to_numpy(), cosines, atol=1e-3)
    assert one["auc"]["value"] == pytest.approx(roc_auc_score(pairs.same[chosen], cosines), abs=5e-3)
    assert len(set(cosines.round(3).tolist())) > 30, "they are faces, not one image"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--order", "grb"], "--order 'grb': known are rgb, bgr"),
        (["--mean", "1"], "--mean and --std belong together"),
        (["--mean", "1,2", "--std", "1"], "--mean '1,2': one number, or three"),
        (["--mean", "1", "--std", "0"], "--std '0'"),
        (["--mean", "nan", "--std", "1"], "--mean 'nan': one number, or three"),
        (["--mean", "1", "--std", "1,nan,1"], "--std '1,nan,1': one number, or three"),
        (["--size", "8x8"], "--size '8x8'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(tmp_path: Path, options: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        call("judge", tmp_path / "none.onnx", "--on", DRAWN, *options, "--to", tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_negative_number_of_explained_pairs_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["judge", str(tmp_path / "none.onnx"), "--on", DRAWN, "--explain", "-1"])
    assert found.exit_code == 2
    assert "--explain" in found.output


def outside(model: Any) -> bytes:
    found: bytes = external(model, "../secret").SerializeToString()
    return found


def huge(model: Any) -> bytes:
    model.graph.initializer[0].dims[:] = [10**6, 10**6]
    return bytes(model.SerializeToString())


def custom(model: Any) -> bytes:
    model.graph.node.append(helper.make_node("Evil", ["flat"], ["x"], domain="my.lab"))
    return bytes(model.SerializeToString())


def truncated(model: Any) -> bytes:
    whole: bytes = model.SerializeToString()
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("hostile", "said"),
    [
        (outside, "has its data in '../secret', outside the file's folder; it is not read"),
        (huge, "brings the weights to 4,000,000,000,000 bytes; at most"),
        (custom, "operator my.lab::Evil is a custom one"),
        (truncated, "truncated, or no ONNX file"),
    ],
)
@pytest.mark.timeout(300)
def test_a_hostile_file_is_one_line_and_nothing_is_read_or_written_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: Any, said: str
) -> None:
    """The secret is a pipe without a writer: opening it would wait forever."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    os.mkfifo(tmp_path / "secret")
    (tmp_path / "in" / "a.onnx").write_bytes(hostile(network()))
    before = {path: path.read_bytes() if path.is_file() else b"" for path in sorted(tmp_path.rglob("*"))}
    with pytest.raises(BadInput) as refused:
        call("judge", "in/a.onnx", "--on", DRAWN)
    line = str(refused.value)
    assert line.startswith(f"{tmp_path / 'in' / 'a.onnx'}: ")
    assert said in line
    assert "\n" not in line
    assert {path: path.read_bytes() if path.is_file() else b"" for path in sorted(tmp_path.rglob("*"))} == before


@pytest.mark.slow
def test_torchscript_is_judged_like_the_same_network_in_onnx_where_ray_and_mlflow_cannot_be_imported(tmp_path: Path) -> None:
    linear = torch.nn.Linear(48, 8, bias=False).eval()
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(matrix(8).T))
    whole = torch.nn.Sequential(torch.nn.AvgPool2d(8), torch.nn.Flatten(), linear).eval()
    torch.jit.save(torch.jit.trace(whole, torch.zeros(2, 3, SIZE, SIZE)), str(tmp_path / "a.pt"))
    save(tmp_path / "a.onnx", network(dimension=8))
    for name in ("ray", "mlflow"):
        (tmp_path / "absent" / name).mkdir(parents=True)
        (tmp_path / "absent" / name / "__init__.py").write_text("raise RuntimeError(f'{__name__} is imported')\n")
    stated = ["--faces", "none", "--order", "rgb", "--mean", "127.5", "--std", "127.5", "--size", f"{SIZE}x{SIZE}"]
    command = [sys.executable, "-c", JUDGE, "judge", "a.pt", "a.onnx", "--trust", "--on", DRAWN, *stated, "--fmr", "0.1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "absent"), str(ROOT)])}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "imported: []"
    assert "a.pt: TorchScript, 32 x 32 pixels, 8 numbers" in ended.stdout
    found = Study(tmp_path / "studies" / "judge")
    scores = []
    for view in found.cells:
        (marker,) = (one for title, one in view.markers.items() if title.kind == EVALUATE)
        scores.append(pq.read_table(found.ledger.path(marker, "scores.parquet"))["score"].to_numpy())
    assert len(scores) == 2
    np.testing.assert_allclose(scores[0], scores[1], rtol=0, atol=1e-5)
    assert np.std(scores[0]) > 0.01

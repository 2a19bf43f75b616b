"""Networks from files, judged as cells of a grid."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from onnx_networks import SIZE, framed, naive, network, save
from rich.console import Console
from small_export import DRAWN, SIDE

from configs.lookup import resolve
from grid.judge.answers import thresholds
from grid.judge.judge import FINDINGS, GRID, Request, judge
from grid.judge.networks import judged, titled
from grid.judge.preprocessing import Preprocessing
from grid.judge.sample import Sample
from grid.judge.survey import Tried
from grid.ledger.study import Study
from grid.plan.inputs import InputResolver
from grid.spec.grid_file import BadInput, read
from grid.spec.stage_name import EVALUATE, StageName

PLAIN = Preprocessing(faces="none")
PROTOCOL = {"name": "drawn", "subjects": 16, "shots": 6, "folds": 4}


@pytest.fixture(scope="module")
def study(package: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Path]:
    """Two linear networks and an exported one on drawn faces."""
    folder = tmp_path_factory.mktemp("judged")
    files = [save(folder / f"{seed}.onnx", network(dimension=8, seed=seed)) for seed in (0, 1)]
    networks = titled([judged(path, PLAIN) for path in (*files, package.folder)])
    request = Request(tuple(networks), [DRAWN], folder / "study", frozenset({"order", "range", "faces"}))
    found, _, done = judge(request, Console(file=io.StringIO()))
    assert done
    return found, folder


def metrics(study: Study, place: int) -> dict[str, Any]:
    marker = study.cells[place].markers[StageName(EVALUATE, "drawn")]
    found: dict[str, Any] = study.ledger.json(marker, "metrics.json")
    return found


def test_an_onnx_network_is_evaluated_on_its_own_embeddings(study: tuple[Study, Path]) -> None:
    """The scores are those of the linear network written out, of images resized by OpenCV's areas."""
    found = study[0]
    marker = found.cells[0].markers[StageName(EVALUATE, "drawn")]
    table = pq.read_table(found.ledger.path(marker, "scores.parquet"))
    protocol: Any = resolve("protocol", DRAWN)
    data = protocol.dataset()
    manifest = data.manifest(Path())
    dataset, detector = data.build(manifest), resolve("detector", "none").build()  # type: ignore[attr-defined]
    place = {key: row for row, key in enumerate(manifest.keys)}
    for row in (0, 7, table.num_rows - 1):
        vectors = []
        for side in ("left", "right"):
            image = dataset.image(place[table[side][row].as_py()])
            (face,) = detector.detect([image])
            crop = detector.crop(image, face, SIZE).astype(np.float64).transpose(2, 0, 1)[None] / 127.5 - 1
            vectors.append((naive(crop, 8) + naive(crop[..., ::-1], 8))[0])
        cosine = vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1])
        assert table["score"][row].as_py() == pytest.approx(cosine, abs=1e-4)


def test_an_exported_network_gets_the_numbers_of_its_study(study: tuple[Study, Path], package: Any) -> None:
    before = metrics(Study(package.folder.parent / "study"), 0)
    assert metrics(study[0], 2) == before
    assert metrics(study[0], 0)["auc"]["value"] != before["auc"]["value"]


def test_a_trained_network_gets_the_numbers_of_its_study(package: Any, tmp_path: Path) -> None:
    before = Study(package.folder.parent / "study")
    marker = before.cells[0].markers[StageName("train")]
    path = before.ledger.path(marker, "model.safetensors")
    one = judged(path, PLAIN)
    assert (one.title, one.size, one.preprocessing) == (before.cells[0].title, (SIDE, SIDE), None)
    found, _, done = judge(Request((one,), [DRAWN], tmp_path / "study", frozenset()), Console(file=io.StringIO()))
    assert done
    assert metrics(found, 0) == metrics(before, 0)
    copy = tmp_path / "model.safetensors"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(BadInput, match=r"no network of a ledger, .*`facegrid export STUDY --where"):
        judged(copy, PLAIN)


def test_the_training_of_a_network_from_a_file_names_that_file(study: tuple[Study, Path]) -> None:
    found = study[0]
    path = found.ledger.path(found.cells[0].markers[StageName("train")], "model.safetensors")
    with pytest.raises(BadInput, match=r"its network is the file .*0\.onnx; judge that file"):
        judged(path, PLAIN)


def test_the_grid_file_stays_and_the_same_judgment_runs_nothing(study: tuple[Study, Path]) -> None:
    found, _ = study
    grid = read(found.path / GRID)
    assert list(grid.axes["model"]) == ["0.onnx", "1.onnx", "model"]
    before = {marker.attempt for cell in found.cells for marker in cell.markers.values()}
    assert {marker.attempt for cell in Study(found.path).cells for marker in cell.markers.values()} == before
    assert (found.path / "report" / "index.html").is_file()
    assert (found.path / "report" / "modes.md").is_file()
    tried = json.loads((found.path / FINDINGS).read_text())
    assert {part["part"] for part in tried["0.onnx"]} == {"order", "range", "faces"}
    assert tried["model"] == []


def test_thresholds_come_from_the_scores(study: tuple[Study, Path]) -> None:
    found, _ = study
    points = thresholds(found, 0.1)
    assert [one.model for one in points] == ["model=0.onnx", "model=1.onnx", "model=model"]
    assert all(one.found is not None for one in points)
    assert "no threshold: " in thresholds(found, 1e-6)[0].words


def test_a_wrong_guess_is_replaced_and_a_stated_one_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grid.judge import judge as module

    path = save(tmp_path / "a.onnx", network(dimension=8))

    def findings(start: Preprocessing, subjects: np.ndarray, score: Any, known: Any, parts: Any, stated: Any) -> Any:
        better = start.others("order")[0]
        tried = Tried("BGR", 0.9, 0.9, 1.0, 1.0)
        return better, [module.Finding("order", "RGB", "BGR", (tried,))]

    monkeypatch.setattr(module, "survey", findings)
    for number, stated in enumerate((frozenset(), frozenset({"order"}))):
        request = Request((judged(path, PLAIN),), [PROTOCOL], tmp_path / f"study{number}", stated)
        judge(request, Console(file=io.StringIO()))
        backbone = read(tmp_path / f"study{number}" / GRID).spec.axes["model"]["a.onnx"]["backbone"]
        assert backbone["order"] == ("rgb" if stated else "bgr")


def test_the_size_of_a_network_that_takes_several_is_found_on_a_few_pairs(tmp_path: Path) -> None:
    from grid.judge.judge import _better, _tried

    protocol: Any = resolve("protocol", PROTOCOL)
    sample = Sample(protocol, InputResolver(tmp_path / "store"))
    one = judged(save(tmp_path / "a.onnx", framed()), PLAIN)
    assert (one.size, one.sizes) == ((112, 112), ((112, 112), (160, 160), (224, 224)))
    assert one.preprocessing is not None
    found = _tried(one, one.preprocessing, frozenset(), sample)
    (size,) = (finding for finding in found if finding.part == "size")
    assert [tried.choice for tried in size.tried] == ["112x112", "160x160", "224x224"]
    assert size.before == "112x112" != size.best == max(size.tried, key=lambda tried: tried.distance).choice
    height, width = map(int, size.best.split("x"))
    assert _better(one, found, frozenset()).settings()["input"] == {"size": height, "width": width}
    assert _better(one, found, frozenset({"size"})).settings()["input"] == {"size": 112, "width": 112}


@pytest.mark.slow
def test_stored_embeddings_and_scores_get_the_numbers_of_the_network_that_made_them(
    study: tuple[Study, Path], package: Any, tmp_path: Path
) -> None:
    """Those of a network on plain images, without mirror images: what is stored is final."""
    protocol: Any = resolve("protocol", PROTOCOL)
    data = protocol.dataset()
    manifest = data.manifest(Path())
    dataset, detector = data.build(manifest), resolve("detector", "none").build()  # type: ignore[attr-defined]
    images = [dataset.image(row) for row in range(len(manifest.keys))]
    crops = [detector.crop(image, detector.detect([image])[0], SIZE) for image in images]
    pixels = np.stack(crops).astype(np.float32).transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
    np.savez(tmp_path / "e.npz", keys=list(manifest.keys), embeddings=naive(pixels, 8).astype(np.float32))
    pairs, vectors = protocol.pairs(manifest), naive(pixels, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = np.einsum("nd,nd->n", vectors[pairs.left], vectors[pairs.right])
    for name, scores in (("s.csv", cosines), ("scaled.csv", 100 * cosines)):
        keys = [[manifest.keys[row] for row in side] for side in (pairs.left, pairs.right)]
        lines = {(min(pair), max(pair)): score for *pair, score in zip(*keys, scores.tolist(), strict=True)}
        text = "".join(f"{left},{right},{score!r}\n" for (left, right), score in lines.items())
        (tmp_path / name).write_text("left,right,score\n" + text)
    files = [save(tmp_path / "a.onnx", network(dimension=8)), *(tmp_path / name for name in ("e.npz", "s.csv", "scaled.csv"))]
    networks = tuple(judged(path, PLAIN) for path in files)
    stated = frozenset({"order", "range", "faces"})
    found, findings, done = judge(Request(networks, [PROTOCOL], tmp_path / "study", stated), Console(file=io.StringIO()))
    assert done
    assert findings["e.npz"] == findings["s.csv"] == []
    one, *others = (metrics(found, place) for place in range(4))
    for other in others:
        for key in ("auc", "eer", "ten_fold"):
            assert one[key]["value"] == pytest.approx(other[key]["value"], abs=1e-3)
    assert one["auc"]["value"] > 0.5
    assert set(others[1]["modes"]) == set(one["modes"]) - {"facenet_mean"}
    assert set(others[2]["modes"]) == {"ten_fold", "youden", "best_threshold"}


@pytest.mark.parametrize("before", [[], [PROTOCOL]])
def test_a_protocol_with_an_unknown_key_is_one_line(tmp_path: Path, before: list[Any]) -> None:
    one = judged(save(tmp_path / "0.onnx", network(dimension=8)), PLAIN)
    request = Request((one,), [*before, {"name": "drawn", "sots": 6}], tmp_path / "study", frozenset())
    with pytest.raises(BadInput, match=r"^--on drawn: unknown key 'sots'.*did you mean 'shots'"):
        judge(request, Console(file=io.StringIO()))
    assert not (tmp_path / "study").exists()

"""IJB's 1:1 and 1:N protocols, judged from an ONNX file, against numbers computed from the lists alone."""

from pathlib import Path
from typing import Any

import cv2
import ijb_folder
import numpy as np
import pytest
from onnx_networks import SIZE, naive, network, save
from sklearn.metrics import roc_curve
from typer.testing import CliRunner

from configs.lookup import resolve
from datamodules.detection import Detection
from grid.cli.main import app
from grid.judge.answers import thresholds
from grid.ledger.study import Study

pytestmark = pytest.mark.timeout(900)
DIMENSION = 8


@pytest.fixture(scope="module", params=["ijbb", "ijbc"])
def judgment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ijb_folder.Drawn, Path, str]:
    folder = tmp_path_factory.mktemp(request.param)
    drawn = ijb_folder.write(folder / "ijb", request.param)
    file = save(folder / "a.onnx", network(dimension=DIMENSION))
    words = ["judge", file, "--on", f"{request.param}={folder / 'ijb'}", "--to", folder / "study", "--fmr", 0.1]
    stated = ["--order", "rgb", "--mean", 127.5, "--std", 127.5, "--faces", "listed", "--threads", 1]
    found = CliRunner().invoke(app, [*map(str, words + stated)])
    assert found.exit_code == 0, found.output
    return folder, drawn, folder / "study", " ".join(found.stdout.split())


def metrics(study: Path) -> dict[str, Any]:
    """By task."""
    (view,) = Study(study).cells
    ledger = Study(study).ledger
    found = [ledger.json(one, "metrics.json") for one in view.markers.values() if "metrics.json" in one.outputs]
    return {one["task"]: one for one in found if "task" in one}


def templates(folder: Path, drawn: ijb_folder.Drawn) -> dict[int, np.ndarray]:
    """Unit embedding of each template: images and mirror images, weighted by detection score, averaged within media."""
    detector: Any = resolve("detector", {"name": "mtcnn", "alignment": "similarity"}).build()  # type: ignore[attr-defined]
    vectors = {}
    for name, where in drawn.points.items():
        image = np.ascontiguousarray(cv2.imread(str(folder / "ijb" / "loose_crop" / name))[..., ::-1])
        marks = tuple(map(tuple, where.astype(np.float32).tolist()))
        crop = detector.crop(image, Detection(True, (0, 0, image.shape[1], image.shape[0]), 1.0, marks), SIZE)
        pixels = crop.astype(np.float64).transpose(2, 0, 1)[None] / 127.5 - 1
        vectors[name] = drawn.scores[name] * (naive(pixels, DIMENSION) + naive(pixels[..., ::-1], DIMENSION))[0]
    found = {}
    for number, members in drawn.members.items():
        total = np.zeros(DIMENSION)
        for medium in {medium for _, medium in members}:
            total += np.mean([vectors[name] for name, other in members if other == medium], axis=0)
        found[number] = total / np.linalg.norm(total)
    return found


def test_both_readings_of_1_to_1_are_those_of_the_lists(judgment: tuple[Path, ijb_folder.Drawn, Path, str]) -> None:
    folder, drawn, study, _ = judgment
    found, vectors = metrics(study)["templates"], templates(folder, drawn)
    pairs = drawn.pairs()
    scores = np.array([vectors[one] @ vectors[other] for one, other, _ in pairs])
    same = np.array([same for _, _, same in pairs])
    assert (found["genuine"], found["impostor"]) == (same.sum(), (~same).sum())
    fpr, tpr, _ = roc_curve(same, scores)
    for far in (0.1, 0.01):
        entry, index = found["tar"][f"{far:g}"], np.abs(fpr[::-1] - far).argmin()
        assert entry["nearest"]["value"] == pytest.approx(tpr[::-1][index], abs=1e-12)
        assert entry["value"] == pytest.approx(tpr[fpr <= far].max(), abs=1e-12)
    assert 0 < found["tar"]["0.1"]["value"] < 1, "hard enough to tell a wrong template from a right one"


def test_searches_of_both_galleries_are_those_of_the_lists(judgment: tuple[Path, ijb_folder.Drawn, Path, str]) -> None:
    folder, drawn, study, _ = judgment
    found, vectors = metrics(study)["identification"], templates(folder, drawn)
    who = np.array([drawn.subjects[number] for number in drawn.probes])
    probes = np.array([vectors[number] for number in drawn.probes])
    ranks, rates = [], []
    for held in drawn.galleries:
        names = np.array([drawn.subjects[number] for number in held])
        scores = probes @ np.array([vectors[number] for number in held]).T
        mated = np.isin(who, names)
        first = names[scores.argmax(axis=1)] == who
        ranks.append(first[mated].mean())
        tops = np.sort(scores[~mated].max(axis=1))[::-1]
        rates.append((first & (scores.max(axis=1) > tops[int(0.1 * len(tops))]))[mated].mean())
    assert found["cmc"]["1"]["value"] == pytest.approx(np.mean(ranks), abs=1e-12)
    assert found["dir"]["0.1"]["value"] == pytest.approx(np.mean(rates), abs=1e-12)
    assert 0 < np.mean(ranks) < 1


def test_the_report_shows_1_to_1_and_1_to_n_with_every_reading(judgment: tuple[Path, ijb_folder.Drawn, Path, str]) -> None:
    study, said = judgment[2:]
    page = (study / "report" / "index.html").read_text(encoding="utf-8")
    modes = (study / "report" / "modes.md").read_text(encoding="utf-8")
    name = judgment[0].name[:4]
    for protocol in (f"{name} 1:1", f"{name} 1:N"):
        assert protocol in page
        assert protocol in said
    for reading in (f"TAR @ 10 % on {name} 1:1", f"Rank 1 on {name} 1:N", f"DIR @ 10 % on {name} 1:N"):
        assert f"## {reading}" in modes
    for definition in ("nearest", "joined", "pfe", "insightface"):
        assert f"* {definition}: " in modes


def test_a_wished_false_match_rate_has_a_threshold_from_the_curve(judgment: tuple[Path, ijb_folder.Drawn, Path, str]) -> None:
    folder, drawn, study, said = judgment
    vectors = templates(folder, drawn)
    pairs = drawn.pairs()
    scores = np.array([vectors[one] @ vectors[other] for one, other, _ in pairs])
    same = np.array([same for _, _, same in pairs])
    one, other = thresholds(Study(study), 0.1)
    assert one.found is not None
    fmr = (scores[~same] >= one.found["threshold"] - 1e-4).mean()  # ONNX Runtime computes in float32
    assert one.found["fmr"]["value"] == pytest.approx(fmr, abs=1e-12)
    assert 0.1 - 1 / (~same).sum() < fmr <= 0.1
    limit = np.sort(scores[~same])[-int(0.1 * (~same).sum()) - 1]
    assert one.found["tmr"]["value"] == pytest.approx((scores[same] > limit).mean(), abs=1e-12)
    assert f"chosen and measured on all {(~same).sum()} impostor pairs" in said
    assert other.words.endswith(
        "identification compares no pairs one to one, and a false match rate is a share of impostor pairs"
    )
    assert "ask for" in thresholds(Study(study), 1e-6)[0].reason

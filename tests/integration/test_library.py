"""The page docs/library.md, run as it is: in a plain process and in a notebook, beside a study that was launched."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from launching import ROOT, environment, here
from small import SMALL

import facegrid as fg
from configs.lookup import resolve
from grid.library.datasets import opened

PAGE = ROOT / "docs/library.md"
TUTORIAL = ROOT / "docs/tutorial.ipynb"
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
AXES = {
    "backbone": {"resnet34": {"backbone.name": "resnet34"}, "alexnet": {"backbone.name": "alexnet"}},
    "detection": {"mtcnn": {"detector": {"name": "mtcnn", "margin": 8}}},
    "pretraining": {"none": {"pretraining.name": "none"}},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``studies/demo``, ``data/lfw`` and ``grid.yaml``, as the page takes for granted."""
    import cv2

    folder = tmp_path_factory.mktemp("library")
    base = {**SMALL["base"], "recipe": {"name": "one_cycle", "lr": 0.1, "epochs": 1}}
    grid = {**SMALL, "name": "demo", "base": base, "axes": AXES, "explainers": []}
    (folder / "grid.yaml").write_text(yaml.safe_dump(grid, sort_keys=False), encoding="utf-8")
    for row, image in enumerate(fg.datasets.Drawn(subjects=3, shots=2, size=160, cache=folder / "cache")):
        photograph = folder / f"data/lfw/images/Person_{row // 2}/Person_{row // 2}_{row % 2 + 1:04d}.jpg"
        photograph.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(photograph), image[:, :, ::-1])
    here(folder, "launch", "grid.yaml", "launch.executor=local")
    return folder


def test_the_page_runs_in_a_plain_process_without_ray_and_mlflow(place: Path) -> None:
    program = "\n".join(SNIPPETS) + "\nimport sys\nassert not {'ray', 'mlflow'} & set(sys.modules), 'imported'\n"
    command = [sys.executable, "-c", program]
    more = environment("library", FACEGRID_CACHE=str(place / "cache"))
    done = subprocess.run(command, cwd=place, env=more, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert "ArcFace: unknown key 'margn'; did you mean 'margin'?" in done.stdout
    assert "(2, 4, 4)" in done.stdout


@pytest.mark.slow
def test_the_page_runs_as_a_notebook(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat

    cells = [nbformat.v4.new_code_cell(text) for text in SNIPPETS]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    executed(notebook, place, monkeypatch)


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat

    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    executed(notebook, tmp_path, monkeypatch)
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert float(re.search(r"loss (\d+\.\d+)", said)[1]) < 8  # type: ignore[index]  # 16 * 0.2 above chance at the start
    assert "'value': " in said


def executed(notebook: object, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs every cell in a kernel of this interpreter; raises where one fails."""
    from nbclient import NotebookClient

    for key, value in environment("library", FACEGRID_CACHE=str(folder / "cache"), MPLBACKEND="agg").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    NotebookClient(notebook, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()


def test_embeddings_are_those_of_the_evaluation(place: Path) -> None:
    study = fg.Study(place / "studies/demo")
    network = study.load(backbone="alexnet")
    (cell,) = (cell for cell in study.record.cells if cell.levels["backbone"] == "alexnet")
    marker = cell.markers["evaluate:drawn"]
    scores = pq.read_table(study.record.ledger.path(marker, "scores.parquet")).to_pydict()
    faces = opened(resolve("protocol", cell.config["protocols"][0]).dataset(), place / "cache")  # type: ignore[attr-defined]
    rows = {key: row for row, key in enumerate(faces.keys)}
    network.network.train().backbone.eval()
    embeddings = network.embed(list(faces))
    assert (network.network.head.training, network.network.backbone.training) == (True, False), "as they were"
    found = [
        float(embeddings[rows[left]] @ embeddings[rows[right]])
        for left, right in zip(scores["left"], scores["right"], strict=True)
    ]
    np.testing.assert_allclose(found, scores["score"], atol=1e-6)
    np.testing.assert_allclose(network.embed(network.prepare(faces[:4])).numpy(), embeddings[:4], atol=1e-6)


def test_results_have_every_number_of_the_report(place: Path) -> None:
    table = fg.Study(place / "studies/demo").results()
    assert {"backbone", "detection", "pretraining", "protocol", "metric", "value"} <= set(table.columns)
    assert set(table["backbone"]) == {"resnet34", "alexnet"}
    auc = table[(table["metric"] == "auc") & (table["backbone"] == "alexnet")]
    study = fg.Study(place / "studies/demo")
    (cell,) = (cell for cell in study.record.cells if cell.levels["backbone"] == "alexnet")
    assert auc["value"].tolist() == [cell.markers["evaluate:drawn"].facts["auc"]]


@pytest.mark.parametrize(
    ("levels", "complaint"),
    [
        ({}, r"selects 2 cells of .*demo: backbone=resnet34, .*; backbone=alexnet, "),
        ({"backbone": "resnet"}, r"axis 'backbone' has no level 'resnet'; did you mean 'resnet34'\? \(known: "),
        ({"network": "resnet34"}, r"unknown axis 'network' \(known: backbone, detection, pretraining\)"),
    ],
)
def test_a_cell_that_cannot_be_loaded_says_why(place: Path, levels: dict[str, str], complaint: str) -> None:
    with pytest.raises(fg.BadInput, match=complaint) as refused:
        fg.Study(place / "studies/demo").load(**levels)
    assert "\n" not in str(refused.value)


def test_one_level_of_an_axis_may_stand_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert [cell.levels["backbone"] for cell in fg.plan("grid.yaml", {"backbone": "alexnet"}).cells] == ["alexnet"]
    with pytest.raises(fg.BadInput, match=r"^where: axis 'backbone' has no level 'alex'; did you mean 'alexnet'\?"):
        fg.plan("grid.yaml", {"backbone": "alex"})


def test_images_of_a_wrong_kind_are_refused(place: Path) -> None:
    import torch

    network = fg.Study(place / "studies/demo").load(backbone="alexnet")
    with pytest.raises(ValueError, match=r"nowhere.jpg: No such file"):
        network.embed("nowhere.jpg")
    with pytest.raises(ValueError, match=r"photographs are RGB arrays .*; found 3"):
        network.embed(3)
    with pytest.raises(ValueError, match=r"photographs are RGB arrays uint8 .*; found ndarray float64 \(64, 64, 3\)"):
        network.embed([np.zeros((64, 64, 3))])
    with pytest.raises(
        ValueError, match=r"a tensor of faces is float \(N, 3, 64, 64\) in \[-1, 1\]; found torch.float32 \(1, 3, 32, 32\)"
    ):
        network.embed(torch.zeros(1, 3, 32, 32))


def test_paths_and_pil_images_are_photographs_too(place: Path) -> None:
    from PIL import Image

    network = fg.Study(place / "studies/demo").load(backbone="alexnet")
    files = sorted((place / "data/lfw/images").rglob("*.jpg"))[:2]
    wanted = network.embed([np.asarray(Image.open(file)) for file in files])
    np.testing.assert_array_equal(network.embed(files), wanted)
    np.testing.assert_allclose(network.embed(str(files[0])), wanted[:1], atol=1e-6)  # another batch size, other rounding
    np.testing.assert_allclose(network.embed(Image.open(files[1])), wanted[1:], atol=1e-6)


def test_photographs_and_faces_are_embedded_in_the_precision_of_the_network(place: Path) -> None:
    import torch

    network = fg.Study(place / "studies/demo").load(backbone="alexnet")
    files = sorted((place / "data/lfw/images").rglob("*.jpg"))[:2]
    wanted, faces = network.embed(files), network.prepare(files)
    for dtype, error in ((torch.float64, 1e-5), (torch.bfloat16, 0.05)):
        network.to(dtype)
        assert network.prepare(files).dtype == dtype
        np.testing.assert_allclose(network.embed(files), wanted, atol=error)
        np.testing.assert_allclose(network.embed(faces).numpy(), wanted, atol=error)
        np.testing.assert_allclose(network.embed(faces.half()).numpy(), wanted, atol=0.05)
        assert network.embed(files, normalize=False).dtype == np.float32


def test_a_photograph_of_16_bits_is_the_same_as_a_path_and_as_a_pil_image(tmp_path: Path) -> None:
    from PIL import Image

    from grid.library.network import photograph

    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    (tmp_path / "a.pgm").write_bytes(b"P5\n8 8\n65535\n" + deep.astype(">u2").tobytes())
    found = photograph(Image.open(tmp_path / "a.pgm"))
    assert (found == np.round(deep / 257)[..., None]).all()
    np.testing.assert_array_equal(found, photograph(tmp_path / "a.pgm"))
    with pytest.raises(ValueError, match="floating-point numbers of unknown range"):
        photograph(Image.fromarray(np.zeros((8, 8), np.float32)))

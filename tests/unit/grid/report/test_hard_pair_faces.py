"""Faces of the hardest pairs: those of the dataset, in the page where they may be shown, and nowhere else."""

import base64
import hashlib

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.lookup import resolve
from grid.report.build import build
from grid.report.hard_pair_faces import SIDE, hard_pair_faces, square
from grid.report.hard_pairs import SHOWN, boards
from grid.report.templates import data_url
from grid.results import rows
from grid.results.heatmap import jpeg

PROTOCOL = "lfw view 2"
DRAWN = {"name": "drawn", "subjects": 30, "first": 1000, "shots": 2, "pairs_per_fold": 4, "folds": 2, "label": PROTOCOL}


@pytest.fixture
def images():
    """The drawn faces by key."""
    data = resolve("protocol", DRAWN).dataset()
    manifest = data.scan(None)
    built = data.build(manifest)
    return {key: built.image(n) for n, key in enumerate(manifest.keys)}


@pytest.fixture
def study(make_study, images):
    """A study whose pairs are of drawn faces."""
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=())
    keys = list(images)
    for cell in study.cells:
        cell.config["protocols"] = [DRAWN]
        marker = cell.markers[f"evaluate:{PROTOCOL}"]
        path = study.ledger.path(marker, "scores.parquet")
        table = pq.read_table(path).to_pydict()
        table["left"], table["right"] = keys, keys[::-1]
        pq.write_table(pa.table(table), path)
        marker.outputs["scores.parquet"].update(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bytes=path.stat().st_size)
    return study


def test_the_pictures_are_the_datasets_own(study, images):
    table = rows.table(study)
    (board,) = boards(study, table)
    found = hard_pair_faces(study, table, [board])[PROTOCOL]
    keys = {key for pair in (*board.genuine[:SHOWN], *board.impostor[:SHOWN]) for key in (pair.left, pair.right)}
    assert found.why == ""
    assert found.pictures.keys() == keys
    for key, text in found.pictures.items():
        shown = cv2.imdecode(np.frombuffer(base64.b64decode(text.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(shown.astype(int) - square(images[key])).mean() < 8  # JPEG


def test_the_page_has_them_and_a_report_without_faces_has_none(study, images):
    texts = []
    for faces in (True, False):
        study.faces = faces
        page = build(study, study.path / f"report-{faces}")
        text = page.read_text(encoding="utf-8")
        texts.append(text[text.index('<section id="pairs">') :].partition("</section>")[0])
        everything = "".join(
            path.read_text(encoding="utf-8", errors="replace") for path in page.parent.iterdir() if path.suffix != ".png"
        )
        known = [data_url(jpeg(square(image)), "jpeg") for image in images.values()]
        assert any(one in everything for one in known) is faces
    assert texts[0].count("<img") == texts[0].count('class="faces"') * 2 > 0
    assert "<img" not in texts[1]
    assert "No pictures of these pairs: this report shows no faces." in texts[1]


def test_without_the_data_the_reason_is_there(make_study):
    study = make_study(axes={"backbone": ["alexnet", "resnet34"]}, pairs=60, explainers=())
    table = rows.table(study)
    found = hard_pair_faces(study, table, boards(study, table))[PROTOCOL]
    assert not found.pictures
    assert "root" in found.why  # LFW's folder is not given


def test_the_middle_of_a_wide_image_is_shown():
    image = np.zeros((60, 100, 3), np.uint8)
    image[:, 20:80] = 200
    found = square(image)
    assert found.shape == (SIDE, SIDE, 3)
    assert (found == 200).all()

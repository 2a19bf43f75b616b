"""The pairs that a network confuses most."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from small import write

from grid.plan.plan import make_plan
from grid.spec.grid_file import read
from grid.spec.stage_kind import stage_kind
from grid.stages.extra.worst_pairs import COLUMNS, PICTURES, SIDE, worst

BASE = {"data": {"name": "drawn", "size": 64, "subjects": 4, "shots": 4}, "input": {"size": 32}}
BASE |= {"backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}, "head": {"name": "fc_bn", "dimension": 8}}
BASE |= {"recipe": {"name": "one_cycle", "epochs": 1, "batch_size": 8}}
PAIRS = {"name": "drawn", "size": 64, "subjects": 24, "shots": 4, "folds": 3}
STAGE = {"name": "worst_pairs", "count": 5}


@pytest.fixture(scope="module")
def cell(tmp_path_factory, run_cell):
    return run_cell(tmp_path_factory.mktemp("worst"), BASE, protocols=[PAIRS], explainers=[], stages=[STAGE])


def test_they_are_the_ends_of_the_sorted_scores(cell):
    scores = pq.read_table(cell.path("evaluate:drawn", "scores.parquet")).to_pandas()
    rows = list(csv.DictReader(io.StringIO(cell.path("worst_pairs", "pairs.csv").read_text())))
    for kind, rising in (("impostor", False), ("genuine", True)):
        wanted = scores[scores.same == (kind == "genuine")].sort_values("score", ascending=rising, kind="stable").head(5)
        found = [(row["left"], row["right"]) for row in rows if row["kind"] == kind]
        assert found == list(zip(wanted.left, wanted.right, strict=True))
        with Image.open(cell.path("worst_pairs", PICTURES[kind])) as picture:
            assert picture.width > COLUMNS * SIDE
            assert picture.height > 2 * SIDE  # ten images


def test_faces_are_left_out_of_a_report_without_faces():
    assert stage_kind("worst_pairs").pictures(None, True) == tuple(PICTURES.values())
    assert stage_kind("worst_pairs").pictures(None, False) == ()


def test_equal_scores_keep_the_order_of_the_list():
    table = pa.table({"left": list("abcd"), "right": list("efgh"), "same": [True, False, True, False], "score": [0.5] * 4})
    assert worst(table, True, 9) == [("a", "e", 0.5), ("c", "g", 0.5)]
    assert worst(table, False, 1) == [("b", "f", 0.5)]


def test_an_unknown_protocol_is_said_by_the_plan(tmp_path):
    stages = [{**STAGE, "protocol": "lfw"}]
    file = write(tmp_path / "grid.yaml", BASE, axes={}, protocols=[PAIRS], explainers=[], stages=stages)
    with pytest.raises(Exception, match="stage worst_pairs: protocol 'lfw' is no protocol with pairs of images"):
        make_plan(read(file))

"""Error rates of cohorts from the scores of an evaluation that has finished."""

import csv
import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from small import write

from datamodules.datasets.drawn import DrawnDatasetConfig
from grid.plan.plan import make_plan
from grid.spec.grid_file import read
from grid.spec.stage_kind import stage_kind
from grid.stages.extra.differentials import _csv
from modules.metrics.cohorts import cohort_rates
from modules.metrics.roc import Curve

BASE = {"data": {"name": "drawn", "size": 64, "subjects": 4, "shots": 4}, "input": {"size": 32}}
BASE |= {"backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8}, "head": {"name": "fc_bn", "dimension": 8}}
BASE |= {"recipe": {"name": "one_cycle", "epochs": 1, "batch_size": 8}}
PAIRS = {"name": "drawn", "size": 64, "subjects": 24, "shots": 4, "folds": 3}
STAGE = {"name": "differentials", "cohorts": ["gender", "gender*age"], "far": 0.1}


@pytest.fixture(scope="module")
def cell(tmp_path_factory, run_cell):
    return run_cell(tmp_path_factory.mktemp("cohorts"), BASE, protocols=[PAIRS], explainers=[], stages=[STAGE])


def test_the_rates_are_those_of_each_cohort_at_the_threshold_of_all_pairs(cell):
    scores = pq.read_table(cell.path("evaluate:drawn", "scores.parquet")).to_pydict()
    score, same = np.array(scores["score"]), np.array(scores["same"])
    _, threshold, far = Curve.of(score, same).val(0.1)
    data = DrawnDatasetConfig(size=64, subjects=24, shots=4, first=1000)
    manifest = data.manifest(None)
    gender = data.columns(manifest)["gender"]
    of = dict(zip(manifest.keys, gender.values.tolist(), strict=True))
    left, right = (np.array([of[key] for key in scores[side]]) for side in ("left", "right"))
    result = cell.json("differentials", "result.json")
    assert result["threshold"]["value"] == threshold
    assert result["far"]["value"] == far <= 0.1
    for number, name in enumerate(gender.classes):
        within = (left == number) & (right == number)
        wrong = {"fmr": score[within & ~same] >= threshold, "fnmr": score[within & same] < threshold}
        for rate, errors in wrong.items():
            entry = result[rate][f"gender {name}"]
            assert (entry["value"], entry["n"]) == (pytest.approx(errors.mean()), len(errors))
            assert entry["low"] < entry["value"] < entry["high"] or entry["low"] == 0 < entry["high"]
    assert 0 < result["fmr_p"]["gender"]["value"] <= 1


def test_cohorts_of_two_columns_are_in_the_table_and_the_figure_is_shown_without_faces(cell):
    rows = list(csv.DictReader(io.StringIO(cell.path("differentials", "cohorts.csv").read_text())))
    assert {row["cohorts"] for row in rows} == {"gender", "gender*age"}
    assert any(row["cohort"].startswith("Female x ") for row in rows)
    with Image.open(cell.path("differentials", "cohorts.png")) as figure:
        assert figure.width > 800
    assert stage_kind("differentials").pictures(None, False) == ("cohorts.png",)


def test_what_is_not_defined_of_a_single_cohort_is_empty():
    errors, one, two = np.arange(40) % 4 == 0, np.arange(40) % 5, np.arange(40) % 7 + 5
    found = cohort_rates(errors, one, two, np.zeros(40, np.int64), ["all"])
    (row,) = csv.DictReader(io.StringIO(_csv({"one": {"fmr": found}})))
    assert (row["difference_low"], row["difference_high"], row["p"]) == ("", "", "")
    assert float(row["value"]) == 0.25


def test_only_evaluations_and_their_labels_count(tmp_path):
    def ids(**settings):
        stages = [{**STAGE, **settings}]
        file = write(tmp_path / "grid.yaml", BASE, axes={}, protocols=[PAIRS], explainers=[], stages=stages)
        return {str(stage.label): stage.id for stage in make_plan(read(file)).stages}

    before, after = ids(), ids(cohorts=["gender"])
    assert before["evaluate:drawn"] == after["evaluate:drawn"]
    assert before["differentials"] != after["differentials"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cohorts": ["gendr"]}, "'gendr' in cohorts is no column of the dataset of protocol drawn.*gender"),
        ({"protocol": "lfw"}, "protocol 'lfw' is no protocol with pairs of images"),
        ({"cohorts": ["age_years"]}, "column 'age_years' in cohorts has numbers"),
    ],
)
def test_what_cannot_be_compared_is_said_by_the_plan(tmp_path, settings, words):
    stages = [{**STAGE, **settings}]
    file = write(tmp_path / "grid.yaml", BASE, axes={}, protocols=[PAIRS], explainers=[], stages=stages)
    with pytest.raises(Exception, match=words):
        make_plan(read(file))


@pytest.fixture(scope="module")
def p_values(tmp_path_factory, run_cell):
    """``p_values[noisy, rate]``: of the same pairs of two cohorts that look alike; images of the ``noisy`` ones have noise."""
    faces = {"name": "components.noisy_cohort", "size": 64, "subjects": 60, "shots": 5, "first": 1000, "variation": 0.3}
    noisy = {"none": [], "one": ["odd"], "both": ["even", "odd"]}
    protocols = [
        {"name": "pairs_of", "label": label, "data": {**faces, "noisy": names}, "folds": 2} for label, names in noisy.items()
    ]
    stages = [{"name": "differentials", "label": f"of {label}", "protocol": label, "far": 0.05} for label in noisy]
    base = {**BASE, "data": {**BASE["data"], "subjects": 12}, "recipe": {**BASE["recipe"], "epochs": 4}}
    cell = run_cell(tmp_path_factory.mktemp("noisy"), base, protocols=protocols, explainers=[], stages=stages)
    results = {label: cell.json(f"differentials:of {label}", "result.json") for label in noisy}
    rates = ("fmr", "fnmr")
    return {(label, rate): found[f"{rate}_p"]["cohort"]["value"] for label, found in results.items() for rate in rates}


@pytest.mark.slow
def test_noise_in_the_images_of_one_cohort_is_found(p_values):
    assert p_values["one", "fnmr"] < 0.01


@pytest.mark.parametrize("noisy", ["none", "both"])
def test_equal_noise_in_both_cohorts_is_no_differential(p_values, noisy):
    assert p_values[noisy, "fnmr"] > 0.05
    assert p_values[noisy, "fmr"] > 0.05

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datamodules.protocols.drawn import DrawnProtocolConfig
from grid.report.build import build
from grid.report.ensembles import with_ensembles
from grid.report.markdown import markdown
from grid.report.table_csv import table_csv
from grid.results import rows
from grid.results.combinations import combined as replicates_combined
from modules.metrics.ensemble import combined, fitted
from modules.metrics.verification import verification

AXES = {"backbone": ["alexnet", "resnet34"], "detection": ["none", "mtcnn"], "pretraining": ["none", "imagenet"]}


def table_of(study):
    return with_ensembles(study, rows.table(study))


def test_a_row_for_each_combination_of_the_other_axes(make_study):
    table = table_of(make_study(axes=AXES, pairs=100, explainers=(), ensembles=[{"over": "detection"}]))
    found = [tuple(row.cell.levels.values()) for row in table.ensembles]
    assert found == [
        (backbone, "none + mtcnn", pretraining) for backbone in ("alexnet", "resnet34") for pretraining in ("none", "imagenet")
    ]
    assert len(table.rows) == 8
    assert table.whole
    assert table.counts == {"done": 8}


def test_groups_that_the_design_left_incomplete_have_no_row(make_study):
    study = make_study(axes=AXES, pairs=100, explainers=(), ensembles=[{"over": "detection"}])
    table = rows.table(study)
    fewer = [row for row in table.rows if tuple(row.cell.levels.values()) != ("resnet34", "mtcnn", "imagenet")]
    found = [tuple(row.cell.levels.values()) for row in with_ensembles(study, replace(table, rows=tuple(fewer))).ensembles]
    assert found == [
        ("alexnet", "none + mtcnn", "none"),
        ("alexnet", "none + mtcnn", "imagenet"),
        ("resnet34", "none + mtcnn", "none"),
    ]


def test_scores_are_summed_distances_of_the_members(make_study):
    study = make_study(axes=AXES, pairs=100, explainers=(), ensembles=[{"over": "detection"}])
    (row, *_) = table_of(study).ensembles
    members = [cell for cell in study.cells if cell.levels["backbone"] == "alexnet" and cell.levels["pretraining"] == "none"]
    total, same, fold = 0.0, None, None
    for cell in members:
        table = pq.read_table(study.ledger.path(cell.markers["evaluate:lfw view 2"], "scores.parquet"))
        cosine = table["score"].to_numpy()
        total = total - np.linalg.norm(np.stack([1 - cosine, np.sqrt(1 - cosine**2)]), axis=0)  # |(1, 0) - (cos, sin)|
        same, fold = table["same"].to_numpy(), table["fold"].to_numpy()
    expected = verification(total, same, fold)
    found = row.metrics["lfw view 2"]
    for key in ("best_threshold", "eer", "auc", "ten_fold"):
        assert found[key]["value"] == pytest.approx(expected[key]["value"], abs=1e-12)


def known_table(study, protocol):
    """The table where the cells have compared the pairs of a protocol of drawn faces; and what the evaluations scored."""
    table, rows_, columns = rows.table(study), [], []
    manifest = protocol.dataset().manifest(None)
    pairs = protocol.pairs(manifest)
    keys = {side: [manifest.keys[row] for row in getattr(pairs, side)] for side in ("left", "right")}
    for number, row in enumerate(table.rows):
        (name,) = (name for name in row.markers if name.kind == "evaluate")
        noise = np.random.default_rng(number).normal(0, 0.15, len(pairs.same))
        columns.append({**keys, "same": pairs.same, "fold": pairs.fold, "score": np.where(pairs.same, 0.3, 0.0) + noise})
        attempt = study.ledger.begin("evaluate", f"{number:064x}", {"stage": "evaluate"})
        pq.write_table(pa.table(columns[-1]), attempt.path / "scores.parquet")
        made = attempt.finish({}, {}, "", ["scores.parquet"])
        metrics = {title: {**one, "subjects_in_several_folds": 0} for title, one in row.metrics.items()}
        cell = replace(row.cell, config={**row.cell.config, "protocols": [protocol.model_dump(mode="json")]})
        rows_.append(replace(row, cell=cell, metrics=metrics, markers={**row.markers, name: made}))
    subjects = tuple(np.array([manifest.identities[row] for row in side]) for side in (pairs.left, pairs.right))
    return with_ensembles(study, replace(table, rows=tuple(rows_))), columns, subjects


@pytest.mark.parametrize("fit", [None, "svm"])
def test_intervals_are_over_subjects_as_those_of_cells(make_study, fit):
    protocol = DrawnProtocolConfig(label="lfw view 2", subjects=20, shots=4, pairs_per_fold=20, folds=5)
    study = make_study(
        axes={"detection": ["none", "mtcnn"]}, pairs=100, explainers=(), ensembles=[{"over": "detection", "fit": fit}]
    )
    table, columns, subjects = known_table(study, protocol)
    (row,) = table.ensembles
    scores, same, fold = [one["score"] for one in columns], columns[0]["same"], columns[0]["fold"]
    joined = combined(scores) if fit is None else fitted(scores, same, fold, loss=fit).scores
    expected = verification(joined, same, fold, subjects=subjects)
    found = row.metrics["lfw view 2"]
    assert found["auc"] == expected["auc"]
    assert found["auc"]["method"] == "subject jackknife"
    assert found["subjects"] == expected["subjects"] == {"subjects": 20, "resamples": 1000}
    assert found["eer"] == expected["eer"]


def test_where_subjects_are_unknown_the_reason_is_said(make_study):
    study = make_study(axes={"detection": ["none", "mtcnn"]}, pairs=100, explainers=(), ensembles=[{"over": "detection"}])
    found = table_of(study).ensembles[0].metrics["lfw view 2"]
    assert found["auc"]["method"] == "DeLong, independent pairs"
    assert "lfw" in found["subjects"]["reason"]


def fit_table(study, shared):
    """The table of an ensemble whose members' evaluations counted so many subjects of several folds; None: did not count."""
    table = rows.table(study)
    more = {} if shared is None else {"subjects_in_several_folds": shared}
    own = [replace(row, metrics={title: {**one, **more} for title, one in row.metrics.items()}) for row in table.rows]
    return with_ensembles(study, replace(table, rows=tuple(own)))


@pytest.mark.parametrize(
    ("settings", "loss", "c"), [({"fit": "svm"}, "svm", 1.0), ({"fit": "logistic", "c": 0.1}, "logistic", 0.1)]
)
def test_a_fitted_ensemble_has_the_numbers_of_the_fit_on_the_other_folds(make_study, settings, loss, c):
    axes = {"detection": ["none", "mtcnn"]}
    study = make_study(axes=axes, pairs=200, explainers=(), ensembles=[{"over": "detection", **settings}])
    (row,) = fit_table(study, 0).ensembles
    tables = [pq.read_table(study.ledger.path(cell.markers["evaluate:lfw view 2"], "scores.parquet")) for cell in study.cells]
    same, fold = tables[0]["same"].to_numpy(), tables[0]["fold"].to_numpy()
    expected = fitted([table["score"].to_numpy() for table in tables], same, fold, loss=loss, c=c)
    found = row.metrics["lfw view 2"]
    assert found["ten_fold"] == expected.accuracy
    assert found["setting"] == "restricted"
    assert found["auc"]["value"] == verification(expected.scores, same, fold)["auc"]["value"]
    assert dict(row.cell.levels) == {"detection": f"none + mtcnn, {loss}"}


@pytest.mark.parametrize(
    ("shared", "words"), [(12, "folds without common subjects, and 12 are in several"), (None, "--retry stale")]
)
def test_nothing_is_fitted_where_folds_share_subjects_and_the_reason_is_said(make_study, shared, words):
    axes = {"detection": ["none", "mtcnn"]}
    ensembles = [{"over": "detection", "fit": "svm"}, {"over": "detection"}]
    study = make_study(axes=axes, pairs=100, explainers=(), ensembles=ensembles)
    fit, plain = fit_table(study, shared).ensembles
    assert not fit.metrics
    assert words in fit.reason
    assert fit.reason.startswith("lfw view 2: ")
    assert plain.metrics
    assert plain.reason is None


def formed_table(study, setting="unrestricted", files=("scores.parquet", "formed_pairs.parquet")):
    """The table of an ensemble whose members' evaluations scored formed pairs, different ones each, and their columns."""
    table, rows_, columns = rows.table(study), [], []
    for number, row in enumerate(table.rows):
        (name, marker), *_ = ((name, one) for name, one in row.markers.items() if name.kind == "evaluate")
        rng = np.random.default_rng(number)
        places = np.arange(number, 80)  # those of the first member and not of the second: 0
        same = places % 2 == 0
        found = {
            "left": [f"l{place}" for place in places], "right": [f"r{place}" for place in places], "same": same,
            "fold": places % 10, "score": np.where(same, 0.3, 0.0) + rng.normal(0, 0.15, len(places)),
        }  # fmt: skip
        columns.append(found)
        attempt = study.ledger.begin("evaluate", f"{number:064x}", {"stage": "evaluate"})
        pq.write_table(pq.read_table(study.ledger.path(marker, "scores.parquet")), attempt.path / "scores.parquet")
        pq.write_table(pa.table(found), attempt.path / "formed_pairs.parquet")
        made = attempt.finish({}, {}, "", list(files))
        metrics = {title: {**one, "subjects_in_several_folds": 0, "setting": setting} for title, one in row.metrics.items()}
        rows_.append(replace(row, metrics=metrics, markers={**row.markers, name: made}))
    return with_ensembles(study, replace(table, rows=tuple(rows_))), columns


FORMED = {"over": "detection", "fit": "svm", "pairs": "formed"}


def test_an_ensemble_is_fitted_on_the_formed_pairs_that_all_members_scored(make_study):
    study = make_study(axes={"detection": ["none", "mtcnn"]}, pairs=200, explainers=(), ensembles=[FORMED])
    table, columns = formed_table(study)
    (row,) = table.ensembles
    tables = [pq.read_table(study.ledger.path(cell.markers["evaluate:lfw view 2"], "scores.parquet")) for cell in study.cells]
    same, fold = tables[0]["same"].to_numpy(), tables[0]["fold"].to_numpy()
    first, second = columns
    more = ([first["score"][1:], second["score"]], second["same"], second["fold"])
    expected = fitted([table["score"].to_numpy() for table in tables], same, fold, formed=more)
    found = row.metrics["lfw view 2"]
    assert found["ten_fold"] == expected.accuracy
    assert found["setting"] == "unrestricted"
    assert found["auc"]["value"] == verification(expected.scores, same, fold)["auc"]["value"]
    assert dict(row.cell.levels) == {"detection": "none + mtcnn, svm, formed pairs"}


@pytest.mark.parametrize(
    ("setting", "files", "words"),
    [
        ("restricted", ("scores.parquet", "formed_pairs.parquet"), "needs a protocol with setting: unrestricted"),
        ("unrestricted", ("scores.parquet",), "scored no formed pairs; launch with --retry stale"),
    ],
)
def test_without_formed_pairs_the_reason_is_said(make_study, setting, files, words):
    study = make_study(axes={"detection": ["none", "mtcnn"]}, pairs=100, explainers=(), ensembles=[FORMED])
    (row,) = formed_table(study, setting, files)[0].ensembles
    assert not row.metrics
    assert words in row.reason


@pytest.mark.parametrize(
    ("prefix", "factor", "words"),
    [("", 10.0, "is no cosine"), ("other_", 1.0, "no pair was scored by all members")],
)
@pytest.mark.parametrize("fit", [None, "svm"])
def test_members_that_cannot_be_evaluated_together_leave_a_row_with_the_reason(make_study, fit, prefix, factor, words):
    study = make_study(
        axes={"detection": ["none", "mtcnn"]}, pairs=100, explainers=(), ensembles=[{"over": "detection", "fit": fit}]
    )
    table = rows.table(study)
    last = table.rows[-1]
    name = next(name for name in last.markers if name.kind == "evaluate")
    scored = pq.read_table(study.ledger.path(last.markers[name], "scores.parquet")).to_pydict()
    scored |= {"left": [prefix + key for key in scored["left"]], "score": [factor * score for score in scored["score"]]}
    attempt = study.ledger.begin("evaluate", f"{1:064x}", {"stage": "evaluate"})
    pq.write_table(pa.table(scored), attempt.path / "scores.parquet")
    changed = replace(last, markers={**last.markers, name: attempt.finish({}, {}, "", ["scores.parquet"])})
    own = [
        replace(row, metrics={title: {**one, "subjects_in_several_folds": 0} for title, one in row.metrics.items()})
        for row in (*table.rows[:-1], changed)
    ]
    (row,) = with_ensembles(study, replace(table, rows=tuple(own))).ensembles
    assert (row.metrics, row.results) == ({}, ())
    assert row.reason.startswith("lfw view 2: ")
    assert words in row.reason


def test_stages_that_compare_no_pairs_are_no_part_of_an_ensemble(make_study):
    study = make_study(axes={"detection": ["none", "mtcnn"]}, pairs=100, explainers=(), ensembles=[{"over": "detection"}])
    table = rows.table(study)
    own = [replace(row, metrics={**row.metrics, "lab.norms": {"norm": {"value": 1.0}}}) for row in table.rows]
    (row,) = with_ensembles(study, replace(table, rows=tuple(own))).ensembles
    assert list(row.metrics) == ["lfw view 2"]


def test_some_levels_alone_can_be_taken(make_study):
    axes = {"size": ["a", "b", "c"]}
    table = table_of(make_study(axes=axes, pairs=100, explainers=(), ensembles=[{"over": "size", "levels": ["a", "c"]}]))
    assert [dict(row.cell.levels) for row in table.ensembles] == [{"size": "a + c"}]


def test_a_member_that_is_not_done_is_named(make_study):
    study = make_study(axes=AXES, pairs=100, explainers=(), ensembles=[{"over": "detection"}], failed=[{"detection": "mtcnn"}])
    (row, *_) = table_of(study).ensembles
    assert not row.metrics
    assert row.reason == "waits for detection mtcnn"


def test_printed_tables_have_the_ensembles_after_the_cells(make_study, tmp_path):
    study = make_study(axes=AXES, pairs=60, explainers=(), ensembles=[{"over": "detection"}])
    table = table_of(study)
    assert "| alexnet | none + mtcnn |" in markdown(table, study.name)
    lines = list(csv.DictReader(io.StringIO(table_csv(table))))
    assert [line["state"] for line in lines] == ["done"] * 8 + ["ensemble"] * 4
    page = build(study, tmp_path / "out").read_text()
    assert page.count("none + mtcnn") == 4
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["ensembles"]) == 4


@pytest.mark.parametrize(
    ("ensemble", "told"),
    [
        ({"over": "backbne"}, "unknown axis 'backbne'"),
        ({"over": "detection", "levels": ["none", "mtcn"]}, "no level 'mtcn'"),
        ({"over": "detection", "levels": ["none"]}, "needs two"),
        ({"over": "detection", "c": 2}, "nothing is fitted; set fit: svm or fit: logistic"),
        ({"over": "detection", "fit": "forest"}, "fit"),
        ({"over": "detection", "pairs": "formed"}, "nothing is fitted; set fit: svm or fit: logistic"),
    ],
)
def test_ensembles_of_what_is_not_there_are_refused(refused, ensemble, told):
    assert told in refused(ensembles=[ensemble])


def test_ensembles_of_several_replicates_are_one_row_of_means(make_study):
    axes = {"backbone": ["alexnet", "resnet34"], "replicate": ["0", "1", "2"]}
    ensembles = [{"over": "backbone"}, {"over": "replicate"}]
    failed = [{"backbone": "alexnet", "replicate": "2"}]
    study = make_study(axes=axes, pairs=120, explainers=(), ensembles=ensembles, failed=failed)
    every = with_ensembles(study, rows.table(study))
    found = replicates_combined(every).ensembles
    assert [row.cell.levels for row in found] == [
        {"backbone": "alexnet + resnet34", "replicate": "2 of 3"},
        {"backbone": "alexnet", "replicate": "0 + 1 + 2"},
        {"backbone": "resnet34", "replicate": "0 + 1 + 2"},
    ]
    column = every.columns[0]
    both = [row.number(column) for row in every.ensembles[:2]]
    assert found[0].number(column) == pytest.approx(sum(both) / 2)
    assert found[0].value(column).replicates == 2
    assert (found[0].state, found[0].reason) == ("ensemble", "replicate 2: waits for backbone alexnet")

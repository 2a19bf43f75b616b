"""Runs of replicates in MLflow: one parent per combination of levels, with means over seeds."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow_runs import Make, dump, edit, runs, thorough
from scipy import stats

from grid.ledger.study import Study
from grid.results.columns import Column
from grid.spec.measure import DIFFERENCE, NOT_NEGATIVE, SHARE
from grid.tracking.groups import _means, names_over_seeds, summary
from grid.tracking.run import Known
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

SEEDS: dict[str, Any] = {"axes": {"detection": ["none", "mtcnn"], "replicate": ["0", "1", "2"]}, "pairs": 400, "explainers": ()}
ACCURACY, OVER = "lfw view 2/accuracy_ten_fold", "lfw view 2 over seeds/accuracy_ten_fold"


def groups(study: Study) -> dict[str, Any]:
    """The active runs of combinations by name."""
    return {name: run for name, run in runs(study).items() if run.data.tags["facegrid.kind"] == "group"}


def values(study: Study, detection: str) -> list[float]:
    """The accuracy of every seed in the ledger."""
    markers = [cell.markers.get("evaluate:lfw view 2") for cell in study.cells if cell.levels["detection"] == detection]
    return [json.loads(study.ledger.path(one, "metrics.json").read_text())["ten_fold"]["value"] for one in markers if one]


def test_a_combination_has_the_mean_over_seeds_its_interval_and_the_number_of_seeds(new_study: Make) -> None:
    study = new_study(**SEEDS)
    found = sync_pass(study.path)
    assert (found.problems, found.said) == ([], [])
    assert set(found.runs) == {cell.id for cell in study.cells}, "a combination is no cell"
    assert set(groups(study)) == {"none", "mtcnn"}
    for name, run in groups(study).items():
        seeds, metrics = values(study, name), run.data.metrics
        interval = stats.t.interval(0.95, 2, loc=sum(seeds) / 3, scale=stats.sem(seeds))
        assert metrics[ACCURACY] == pytest.approx(sum(seeds) / 3, abs=1e-12)
        assert (metrics[f"{OVER}_low"], metrics[f"{OVER}_high"]) == pytest.approx(
            (max(interval[0], 0), min(interval[1], 1)), abs=1e-12
        )
        assert metrics[f"{OVER}_n"] == 3
        assert run.data.params["detection"] == name
        assert not {"seed", "replicate"} & set(run.data.params)
        assert "facegrid.cell" not in run.data.tags
        assert run.info.status == "FINISHED"
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs(study).items()}
    ids = {name: run.info.run_id for name, run in groups(study).items()}
    assert parents == {**{f"{name} / {seed}": ids[name] for name in ids for seed in range(3)}, "none": None, "mtcnn": None}


def test_a_mean_has_no_digits_of_rounding() -> None:
    assert summary([0.92, 0.94, 0.945]).mean == 0.935


def test_a_second_pass_writes_nothing(new_study: Make) -> None:
    study = new_study(**SEEDS)
    sync_pass(study.path)
    before = dump(study)
    again = sync_pass(study.path, thorough=True)
    assert (again.writes, again.said) == (0, [])
    assert dump(study) == before


def test_a_mean_grows_with_its_seeds(new_study: Make) -> None:
    one = {"detection": "none", "replicate": "2"}
    study = new_study(**SEEDS, unfinished=[one])
    sync_pass(study.path)
    before = groups(study)["none"]
    assert (before.info.status, before.data.metrics[f"{OVER}_n"], before.data.tags["facegrid.seeds"]) == ("RUNNING", 2, "2")
    study = new_study(**SEEDS)
    assert sync_pass(study.path).said == []
    after = groups(study)["none"]
    assert after.info.run_id == before.info.run_id
    assert (after.info.status, after.data.metrics[f"{OVER}_n"], after.data.tags["facegrid.seeds"]) == ("FINISHED", 3, "3")
    assert after.data.metrics[ACCURACY] == pytest.approx(sum(values(study, "none")) / 3, abs=1e-12)


def test_another_mean_replaces_the_run_and_takes_the_seeds_along(new_study: Make) -> None:
    study = new_study(**SEEDS)
    sync_pass(study.path)
    old = groups(study)["mtcnn"].info.run_id
    connect(tracking_of(study)).log_metric(old, ACCURACY, 0.1, step=4)
    (said,) = sync_pass(study.path).said
    assert said.startswith(f"mtcnn: the run {old} was replaced, because its {ACCURACY} is 0.1 over 4 seeds")
    new = groups(study)["mtcnn"]
    assert new.data.metrics[ACCURACY] == pytest.approx(sum(values(study, "mtcnn")) / 3, abs=1e-12)
    assert {runs(study)[f"mtcnn / {seed}"].data.tags["mlflow.parentRunId"] for seed in range(3)} == {new.info.run_id}
    assert sync_pass(study.path).writes == 0


def test_fewer_seeds_with_the_same_mean_replace_the_run(new_study: Make) -> None:
    """MLflow shows the highest step, which is that of more seeds."""
    study = new_study(**SEEDS)
    sync_pass(study.path)
    old = groups(study)["mtcnn"].info.run_id
    connect(tracking_of(study)).log_metric(old, f"{OVER}_n", 4, step=4)
    (said,) = sync_pass(study.path).said
    assert said == f"mtcnn: the run {old} was replaced, because its {OVER}_n is 4.0 and should be 3"
    assert groups(study)["mtcnn"].data.metrics[f"{OVER}_n"] == 3
    assert sync_pass(study.path, thorough=True).writes == 0


def test_one_seed_of_several_has_no_interval_of_them(new_study: Make) -> None:
    study = new_study(**{**SEEDS, "axes": {**SEEDS["axes"], "replicate": ["0"]}})
    sync_pass(study.path)
    connect(tracking_of(study)).log_metric(groups(study)["mtcnn"].info.run_id, f"{OVER}_low", 0.3, step=1)
    (said,) = sync_pass(study.path).said
    assert said.endswith(f"because its {OVER}_low is 0.3 and should be left out")
    assert f"{OVER}_low" not in groups(study)["mtcnn"].data.metrics
    assert sync_pass(study.path, thorough=True).writes == 0


def test_combinations_that_left_the_grid_file_are_hidden_and_lose_their_cells(new_study: Make) -> None:
    study = new_study(**SEEDS)
    sync_pass(study.path)

    def without_replicates(record: dict[str, Any]) -> None:
        del record["axes"]["replicate"]
        record["cells"] = [cell for cell in record["cells"] if cell["levels"].pop("replicate") == "0"]

    edit(study, without_replicates)
    found = sync_pass(study.path)
    assert found.problems == []
    client = connect(tracking_of(study))
    everything = client.search_runs([found.experiment_id])
    assert {run.data.tags["facegrid.hidden"] for run in everything if run.data.tags["facegrid.kind"] == "group"} == {"true"}
    assert all("mlflow.parentRunId" not in client.get_run(run).data.tags for run in found.runs.values())


def test_other_metrics_have_their_intervals_in_a_table_that_comes_back_when_it_is_lost(new_study: Make) -> None:
    study = new_study(**SEEDS)
    sync_pass(study.path)
    client = connect(tracking_of(study))
    run = groups(study)["mtcnn"]
    assert {key for key in run.data.metrics if " over seeds/" in key} == {f"{OVER}_{part}" for part in ("low", "high", "n")}
    table = Path(client.download_artifacts(run.info.run_id, "over_seeds.json"))
    found = json.loads(table.read_text())
    assert found["columns"] == ["metric", "mean", "low", "high", "seeds"]
    rows = {row[0]: row[1:] for row in found["data"]}
    assert len(rows) > 5
    assert rows[ACCURACY] == [run.data.metrics[key] for key in (ACCURACY, f"{OVER}_low", f"{OVER}_high", f"{OVER}_n")]
    seeds = [runs(study)[f"mtcnn / {seed}"].data.metrics["lfw view 2/eer"] for seed in range(3)]
    assert rows["lfw view 2/eer"][0] == pytest.approx(sum(seeds) / 3, abs=1e-12)
    (file,) = (path for path in (study.path.parent / "mlartifacts").rglob("over_seeds.json") if run.info.run_id in str(path))
    content = file.read_bytes()
    file.unlink()
    assert thorough(study).problems == []
    assert file.read_bytes() == content
    assert f"**{ACCURACY}: {100 * run.data.metrics[ACCURACY]:.2f} % [" in run.data.tags["mlflow.note.content"].splitlines()[0]


def test_one_seed_and_equal_seeds_have_no_interval() -> None:
    assert (summary([0.5]).low, summary([0.5]).n) == (None, 1)
    assert (summary([0.5, 0.5, 0.5]).high, summary([0.5, 0.5, 0.5]).n) == (None, 3)


def test_a_share_stays_between_0_and_1() -> None:
    wide = summary([0.1, 0.9])
    assert wide.low is not None
    assert wide.low < 0
    clipped = summary([0.1, 0.9], SHARE)
    assert (clipped.low, clipped.high) == (0.0, 1.0)


def test_names_over_seeds_are_a_group_of_their_own() -> None:
    assert names_over_seeds("lfw view 2/eer")["low"] == "lfw view 2 over seeds/eer_low"
    assert len(set(names_over_seeds("x" * 250).values())) == 3


def test_the_interval_of_a_difference_may_go_below_0_and_that_of_an_auc_ends_at_1() -> None:
    seeds = [{"x/change": -0.1, "x/auc": 0.9}, {"x/change": -0.3, "x/auc": 0.99}, {"x/change": -0.2, "x/auc": 1.0}]
    known = [Known("run", "name", "FINISHED", None, 0, {}, {}, metrics, set()) for metrics in seeds]
    columns = [
        ("x/change", Column("x", "change", "change", True, 2, range=DIFFERENCE)),
        ("x/auc", Column("x", "auc", "AUC", False, 3, range=SHARE)),
    ]
    change, auc = (one.summary for one in _means(known, columns))
    half = stats.t.ppf(0.975, 2) * stats.sem([-0.1, -0.3, -0.2])
    assert (change.low, change.high) == pytest.approx((-0.2 - half, -0.2 + half))
    assert auc.high == 1.0


def test_the_interval_of_an_error_in_years_ends_at_0_but_not_that_of_a_loss_that_is_below() -> None:
    assert summary([1.0, 9.0], NOT_NEGATIVE).low == 0.0
    below = summary([-1.0, 9.0], NOT_NEGATIVE)
    assert (below.low, below.mean) == (-1.0, 4.0)

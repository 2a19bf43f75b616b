"""The logged model of each cell: one per run, with params, and with metrics that name their datasets."""

from collections.abc import Iterator
from typing import Any

import pytest
from mlflow_runs import Make, dump, edit, runs, thorough
from mlflow_server import Server
from slow import slow

from grid.ledger.study import Study
from grid.tracking.answers import is_unknown_endpoint
from grid.tracking.models import UNSUPPORTED, models_of_experiments
from grid.tracking.prune import prune_runs
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

AXES = {"backbone": ["resnet34"], "detection": ["none", "mtcnn"]}
SMALL: dict[str, Any] = {"axes": AXES, "explainers": (), "epochs": 1, "pairs": 40}
ACCURACY = "lfw view 2/accuracy_ten_fold"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as one:
        yield one


def client_of(study: Study) -> Any:
    return connect(tracking_of(study))


def models(study: Study) -> list[Any]:
    client = client_of(study)
    ids = [one.experiment_id for one in client.search_experiments()]
    return list(models_of_experiments(client, ids, f"tags.`facegrid.study` = '{study.id}'"))


@pytest.mark.parametrize("where", [*slow(["server"]), "file"])
def test_each_cell_has_one_model_whose_metrics_name_their_datasets(
    new_study: Make, request: pytest.FixtureRequest, where: str
) -> None:
    address = request.getfixturevalue("server").address if where == "server" else None
    study = new_study(where, **SMALL, tracking=address)
    first = sync_pass(study.path)
    assert (first.problems, first.said) == ([], [])
    found = {one.name: one for one in models(study)}
    assert set(found) == {"resnet34, none", "resnet34, mtcnn"}
    for run in runs(study).values():
        one = found[run.info.run_name.replace(" /", ",")]
        assert (one.source_run_id, str(one.status)) == (run.info.run_id, "READY")
        assert [output.model_id for output in run.outputs.model_outputs] == [one.model_id]
        assert one.params.items() >= {**run.data.params, "parameters": "21300000", "training images": "41000"}.items()
        metrics = {metric.key: metric for metric in one.metrics}
        assert {key: metrics[key].value for key in metrics} == {key: run.data.metrics[key] for key in metrics}
        datasets = {(given.dataset.name, given.dataset.digest) for given in run.inputs.dataset_inputs}
        linked = metrics[ACCURACY]
        assert linked.dataset_name == "lfw view 2"
        assert (linked.dataset_name, linked.dataset_digest) in datasets
        (training,) = (name for name, _ in datasets if name != "lfw view 2")
        assert {metric.dataset_name for metric in one.metrics} == {"lfw view 2", training}
        assert not any(key.startswith("Learning curves/") for key in metrics)
    assert sync_pass(study.path).writes == 0
    again = sync_pass(study.path, thorough=True)
    assert (again.writes, again.said) == (0, [])


def test_a_cell_that_still_trains_has_no_model_until_it_is_done(new_study: Make) -> None:
    study = new_study(**SMALL | {"epochs": 2}, unfinished=[{"detection": "none"}])
    sync_pass(study.path)
    assert [one.name for one in models(study)] == ["resnet34, mtcnn"]
    study = new_study(**SMALL | {"epochs": 2})
    assert sync_pass(study.path).said == []
    assert sorted(one.name for one in models(study)) == ["resnet34, mtcnn", "resnet34, none"]


def test_runs_of_a_version_without_models_get_them_and_lost_ones_come_back(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)
    client, before = client_of(study), {one.name: (one.params, one.metrics) for one in models(study)}
    for run in runs(study).values():
        client.delete_logged_model(run.data.tags["facegrid.model"])
    one = next(iter(runs(study).values()))
    client.delete_tag(one.info.run_id, "facegrid.model")
    points = dump_of_metrics(client, study)
    assert thorough(study).said == []
    found = models(study)
    assert len(found) == 2
    for model in found:
        params, metrics = before[model.name]
        assert model.params == params
        assert {(m.key, m.value, m.dataset_name, m.dataset_digest) for m in model.metrics} == {
            (m.key, m.value, m.dataset_name, m.dataset_digest) for m in metrics
        }
    assert {run.data.tags["facegrid.model"] for run in runs(study).values()} == {model.model_id for model in found}
    assert dump_of_metrics(client, study) == points, "the metrics of runs have each point once"
    before_second = dump(study)
    assert thorough(study).writes == 0
    assert dump(study) == before_second


def dump_of_metrics(client: Any, study: Study) -> dict[tuple[str, str], list[Any]]:
    return {
        (name, key): [(point.step, point.value, point.timestamp) for point in client.get_metric_history(run.info.run_id, key)]
        for name, run in runs(study).items()
        for key in run.data.metrics
    }


def test_a_second_model_of_a_run_is_deleted_and_one_left_by_a_killed_pass_is_used(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)
    client = client_of(study)
    first, second = runs(study).values()
    client.create_logged_model(first.info.experiment_id, "twin", first.info.run_id, {"facegrid.study": study.id}, {})
    client.delete_tag(second.info.run_id, "facegrid.model")  # as if a pass had been killed before it wrote it
    wanted = {run.outputs.model_outputs[0].model_id for run in (first, second)}
    assert thorough(study).problems == []
    assert {one.model_id for one in models(study)} == wanted
    assert all(len(run.outputs.model_outputs) == 1 for run in runs(study).values())


def test_a_replaced_run_takes_its_model_along_and_prune_deletes_that_of_a_removed_cell(new_study: Make) -> None:
    study = new_study(**SMALL)
    sync_pass(study.path)
    old = {run.data.tags["facegrid.model"] for run in runs(study).values()}
    edit(study, lambda record: record["cells"][0]["levels"].update(detection="other"))
    assert len(sync_pass(study.path).said) == 1
    new = {one.model_id for one in models(study)}
    assert (len(new), len(new & old)) == (2, 1)
    edit(study, lambda record: record.update(hidden=record["cells"][1:], cells=record["cells"][:1]))
    list(prune_runs(Study(study.path), tracking_of(study), True))
    assert {one.model_id for one in models(study)} == new, "a dry run deletes nothing"
    list(prune_runs(Study(study.path), tracking_of(study), False))
    assert {one.model_id for one in models(study)} == new - old


def test_levels_with_commas_give_models_of_different_names(new_study: Make) -> None:
    study = new_study(**SMALL)
    levels = [{"backbone": "a, b", "detection": "c"}, {"backbone": "a", "detection": "b, c"}]
    edit(study, lambda record: [cell.update(levels=one) for cell, one in zip(record["cells"], levels, strict=True)])
    sync_pass(study.path)
    assert {one.name for one in models(study)} == {"_a, b_, c", "a, _b, c_"}


def test_a_server_without_models_is_told_from_other_errors() -> None:
    from mlflow.exceptions import MlflowException

    said = "API request to endpoint /api/2.0/mlflow/logged-models failed with error code 404 != 200. Response body: '<h1>'"
    assert is_unknown_endpoint(MlflowException(said))
    assert not is_unknown_endpoint(MlflowException(said.replace("404", "403")))
    assert not is_unknown_endpoint(MlflowException("Run 'x' not found", error_code=0))
    assert "3.0" in UNSUPPORTED

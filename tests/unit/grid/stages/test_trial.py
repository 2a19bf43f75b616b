"""Trials against ordinary trainings: a search chooses what full trainings of all trials choose, by the same numbers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from naive_halving import naive
from small import write

from grid.execution.job import Outcome, RunOptions, jobs_of, run
from grid.execution.perform import finished
from grid.ledger.ledger import Ledger
from grid.plan.plan import Plan, make_plan, store_of
from grid.results.model_loader import find
from grid.spec.grid_file import read
from grid.spec.search import METRIC, Search, layers_of, validation_metrics
from grid.spec.stage_kind import stage_kind
from grid.stages.train import load_network

BASE: dict[str, Any] = {
    "data": {"name": "drawn", "subjects": 12, "shots": 4, "size": 64},
    "split": {"fraction": 0.25},
    "input": {"size": 32},
    "backbone": {"name": "zhong_resnet", "units": [0, 0, 0], "width": 8},
    "head": {"name": "dense"},
    "targets": {"gender": {"loss": "binary"}},
    "recipe": {"name": "one_cycle", "lr": 0.05, "epochs": 3, "batch_size": 8},
}
SEARCH = {
    "trials": 4, "rungs": [1, 3], "reduction": 2, "seed": 3,
    "space": {"layers": [1, 2], "widths": [4, 16], "step": 4, "dropouts": [0.0, 0.5]},
}  # fmt: skip
EPOCHS = 3


def planned(folder: Path, base: dict[str, Any], axes: dict[str, Any], **parts: Any) -> Plan:
    launch = {"study": str(folder / "study")}
    return make_plan(read(write(folder / "grid.yaml", base, axes=axes, launch=launch, explainers=[], protocols=[], **parts)))


def run_stages(plan: Plan) -> dict[str, Outcome]:
    """Runs what is open, in the order of the plan; by id."""
    store = store_of(plan.grid)
    jobs = jobs_of(plan.stages, store)
    order = sorted(plan.stages, key=lambda stage: stage_kind(stage.stage).order)
    todo = [jobs[stage.id] for stage in order if not finished(Ledger(store), jobs[stage.id])]
    return {job.id: run(job, RunOptions(raises=True)) for job in todo}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    """The search, and a full training of every trial as a cell of its own."""
    heads = [head.model_dump(mode="json") for head in Search.model_validate(SEARCH).heads(template())]
    axes = {"head": {"searched": {"search": SEARCH}, **{f"t{n}": {"head": head} for n, head in enumerate(heads)}}}
    plan = planned(folder, {**BASE, "seed": 3}, axes)
    run_stages(plan)
    ledger = Ledger(store_of(plan.grid))
    cells = {cell.levels["head"]: cell for cell in plan.cells}

    def marker(cell: str, label: str) -> Any:
        return ledger.marker(label.partition(":")[0], cells[cell].stages[label])  # type: ignore[index]

    histories = [ledger.json(marker(f"t{number}", "train"), "history.json") for number in range(4)]
    return SimpleNamespace(plan=plan, ledger=ledger, cells=cells, marker=marker, histories=histories)


def template() -> Any:
    from configs.lookup import resolve

    return resolve("head", BASE["head"])


def losses(found: Any) -> Any:
    import numpy as np

    return np.array([[row["validation_loss"] for row in history] for history in found.histories])


def test_the_graph_of_a_search_is_known_before_it_runs(found: Any) -> None:
    labels = [str(label) for label in found.cells["searched"].stages]
    assert labels == [
        *(f"trial:rung 1:trial {number}" for number in (1, 2, 3, 4)), "trial:rung 2:place 1", "trial:rung 2:place 2",
        "search", "train",
    ]  # fmt: skip
    stages = {stage.id: stage for stage in found.plan.stages}
    cell = found.cells["searched"]
    first = {cell.stages[label] for label in cell.stages if str(label).startswith("trial:rung 1")}
    for label, id in cell.stages.items():
        if str(label).startswith("trial:rung 2"):
            assert set(stages[id].needs) == first
    assert cell.stages["search"] in stages[cell.stages["train"]].needs


def test_the_trials_of_a_rung_are_those_that_full_trainings_would_choose(found: Any) -> None:
    """Naive halving of the recorded curves of ordinary cells."""
    first, second = naive(losses(found), [1, 3], 2, lower=True)
    trained = [found.marker("searched", f"trial:rung 2:place {place}").facts["trial"] for place in (1, 2)]
    assert first == [0, 1, 2, 3]
    assert sorted(trained) == second
    assert losses(found)[trained[0]][0] <= losses(found)[trained[1]][0]  # places are ranks
    winner = min(second, key=lambda trial: losses(found)[trial][-1])
    assert found.marker("searched", "search").facts["winner"] == winner + 1


def test_a_trial_that_goes_on_has_the_history_of_a_training_that_never_stopped(found: Any) -> None:
    for label in found.cells["searched"].stages:
        if not str(label).startswith("trial"):
            continue
        marker = found.marker("searched", str(label))
        history = found.ledger.json(marker, "history.json")
        assert history == found.histories[marker.facts["trial"]][: len(history)]
        assert len(history) == marker.facts["epochs"] == (1 if marker.facts["rung"] == 0 else EPOCHS)


def test_a_later_rung_continues_from_the_checkpoint_of_the_rung_before(found: Any) -> None:
    marker = found.marker("searched", "trial:rung 2:place 1")
    events = found.ledger.events("trial", marker.id)
    assert [row["epoch"] for row in events] == [1, 2]


def test_without_that_checkpoint_the_result_is_the_same(found: Any, folder: Path) -> None:
    marker = found.marker("searched", "trial:rung 2:place 1")
    content = marker.content
    for checkpoint in (store_of(found.plan.grid) / "trial").glob("*/*/checkpoints/*.ckpt"):  # type: ignore[operator]
        checkpoint.unlink()
    found.ledger.void("trial", marker.id, "for this test", marker.generation)
    run_stages(make_plan(found.plan.grid))
    again = found.ledger.marker("trial", marker.id)
    assert again.generation == marker.generation + 1
    assert again.content == content
    assert [row["epoch"] for row in found.ledger.events("trial", marker.id)] == [0, 1, 2]


def test_the_cell_is_trained_with_the_chosen_layers(found: Any, folder: Path) -> None:
    winner = found.marker("searched", "search").facts["winner"] - 1
    trained = found.marker("searched", "train")
    assert found.ledger.json(trained, "history.json") == found.histories[winner]  # the same seed, recipe and length here
    assert layers_of(trained.facts["head"]) == Search.model_validate(SEARCH).stacks()[winner]
    context: Any = SimpleNamespace(ledger=found.ledger, inputs={"train": trained}, device="cpu")
    network = load_network(context, found.cells["searched"].cell.training(), trained.facts["classes"])  # as later stages do
    widths = [layer.out_features for layer in network.head.stack if hasattr(layer, "out_features")]
    assert widths == [layer["width"] for layer in Search.model_validate(SEARCH).stacks()[winner]]
    loaded = find(found.ledger.path(trained, "model.safetensors"), {})
    assert loaded.training.head == Search.model_validate(SEARCH).heads(template())[winner]


def test_the_choice_depends_on_validation_and_on_no_test(found: Any, tmp_path: Path) -> None:
    """Protocols add stages, and none of them is an input of the search; its id and those of its trials stay."""
    protocol = {"name": "attributes", "data": {"name": "drawn", "first": 900, "subjects": 6, "shots": 2, "size": 64}}
    file = write(
        tmp_path / "grid.yaml", {**BASE, "seed": 3}, axes={"head": {"searched": {"search": SEARCH}}}, explainers=[],
        protocols=[protocol], launch={"study": str(tmp_path / "study")},
    )  # fmt: skip
    plan = make_plan(read(file))
    kinds = {stage.id: stage.stage for stage in plan.stages}
    for stage in plan.stages:
        if stage.stage in ("trial", "search"):
            assert {kinds[need] for need in stage.needs} <= {"trial"}
    assert plan.cells[0].stages["search"] == found.cells["searched"].stages["search"]  # type: ignore[index]


def test_a_diverged_trial_is_a_result_and_is_not_chosen(tmp_path: Path) -> None:
    recipe = {"name": "one_cycle", "lr": 1e30, "epochs": 2, "batch_size": 8}
    plan = planned(tmp_path, {**BASE, "recipe": recipe}, {"head": {"searched": {"search": {**SEARCH, "rungs": [1, 2]}}}})
    with pytest.raises(ValueError, match="every trial of the last rung diverged"):
        run_stages(plan)
    ledger = Ledger(store_of(plan.grid))
    trials = [ledger.marker(stage.stage, stage.id) for stage in plan.stages if stage.stage == "trial"]
    assert len(trials) == 6
    assert all("nan" in marker.facts["diverged"] or "inf" in marker.facts["diverged"] for marker in trials if marker)


def test_the_metrics_that_a_search_may_name_are_those_of_the_validation(tmp_path: Path) -> None:
    classes, numbers, paired = {"loss": "binary"}, {"loss": "regression"}, {"loss": "triplet", "batches": "pk", "targets": {}}
    levels: dict[str, Any] = {
        "identity": {"targets": {}},
        "both": {"targets": {"gender": classes, "age_years": numbers}},
        "number": {"targets": {"age_years": numbers}},
        "pairs": paired,
        "primary": {**paired, "targets": {"identity": {}, "gender": classes}},
    }
    data = {**BASE["data"], "shots": 8}
    recipe = {**BASE["recipe"], "epochs": 1}
    axes = {"what": levels, "by": {by: {"split": {"by": by, "fraction": 0.25}} for by in ("images", "identities")}}
    plan = planned(tmp_path, {**BASE, "data": data, "recipe": recipe}, axes)
    run_stages(plan)
    ledger = Ledger(store_of(plan.grid))
    for cell in plan.cells:
        assert cell.cell is not None
        (row,) = ledger.json(ledger.marker("train", cell.stages["train"]), "history.json")  # type: ignore[index]
        found = [key for key, value in row.items() if METRIC.fullmatch(key) and value is not None]
        assert validation_metrics(cell.cell.training()) == sorted(found), cell.levels

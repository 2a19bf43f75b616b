"""What an explanation of a finished study would run: explanations and detections, never a training."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from small import finish, stages

from grid.execution.launch import write_plan
from grid.explain.missing import grid_of, titles, trained, without_training
from grid.explain.of_study import _board, _entries
from grid.explain.options import Look, methods
from grid.ledger.added_explanations import added
from grid.ledger.ledger import Ledger
from grid.ledger.study import Study
from grid.plan.plan import Plan, make_plan, store_of
from grid.plan.preflight import checked_plan
from grid.spec.grid_file import BadInput, Grid
from grid.stages.chosen_images import check_chosen

QUIET = Console(quiet=True)


def launched(grid: Grid, *labels: str) -> Study:
    """A study in which the stages with these labels are done."""
    plan = make_plan(grid)
    for label in labels:
        for stage in stages(plan, label):
            finish(grid, stage)
    write_plan(plan, grid)
    return Study(plan.study)


def planned(study: Study, *texts: str, where: dict[str, list[str]] | None = None, look: Look | None = None) -> Plan:
    explainers = titles(study, methods(texts, look or Look()))
    cells, passed = trained(study, where or {})
    return without_training(checked_plan(grid_of(study, cells, explainers, None), None, QUIET), study, passed)


def test_only_new_explanations_run(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}), "train")
    plan = planned(study, "gradcam,score_cam")
    assert sorted((stage.stage, stage.state) for stage in plan.stages) == [("explain", "run")] * 2
    board = _board(plan)
    assert [job.kind for work in board.waiting.values() for job in work.jobs] == ["explain"] * 2
    assert board.stages_to_run == 2


def test_a_detection_that_a_pair_needs_runs_first(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}, base={"detector": "mtcnn"}), "detect:data", "train")
    plan = planned(study, "corr_rise", look=Look(pairs=2))
    board = _board(plan)
    assert sorted({job.kind for work in board.waiting.values() for job in work.jobs}) == ["detect", "explain"]
    first = board.take()
    assert first is not None
    assert [job.kind for job in first.jobs] == ["detect"]
    assert board.take() is None


def test_cells_that_are_not_trained_are_passed_over_by_name(make: Callable[..., Grid]) -> None:
    axes = {"rate": {"low": {"recipe.lr": 0.01}, "high": {"recipe.lr": 0.2}}}
    grid = make(axes=axes)
    plan = make_plan(grid)
    finish(grid, stages(plan, "train")[0])
    write_plan(plan, grid)
    cells, passed = trained(Study(plan.study), {})
    assert [cell.title for cell in cells] == ["rate=low"]
    assert passed == [{"cell": "rate=high", "reason": "not trained yet; launch the grid"}]
    with pytest.raises(BadInput, match=r"none of the selected cells has finished training.*rate=high: not trained yet"):
        trained(Study(plan.study), {"rate": ["high"]})


def test_a_damaged_network_is_not_trained_again(make: Callable[..., Grid]) -> None:
    grid = make(axes={})
    study = launched(grid, "train")
    (stage,) = stages(make_plan(grid), "train")
    marker = Ledger(store_of(grid)).marker("train", stage.id)
    assert marker is not None
    (store_of(grid) / "train" / stage.id / marker.attempt / "output").write_text("")
    with pytest.raises(BadInput, match=r"its training would run again: .*has 0 bytes, not the 32 that were written"):
        planned(study, "gradcam")


def test_done_explanations_do_not_run_again(make: Callable[..., Grid]) -> None:
    grid = make(axes={})
    study = launched(grid, "train")
    for stage in planned(study, "score_cam").stages:
        finish(grid, stage)
    assert [stage.state for stage in planned(study, "score_cam").stages] == ["done"]
    assert _board(planned(study, "score_cam")).stages_to_run == 0


def test_a_launch_keeps_added_explanations_and_runs_nothing_for_them(make: Callable[..., Grid]) -> None:
    grid = make(axes={})
    study = launched(grid, "train", "evaluate:drawn", "explain:gradcam")
    record = added(study.record, _entries(planned(study, "score_cam")))
    (study.path / "plan.json").write_text(json.dumps(record))
    assert list(Study(study.path).cells[0].stages) == ["train", "evaluate:drawn", "explain:gradcam", "explain:score_cam"]
    again = make_plan(grid)
    assert again.open == []
    write_plan(again, grid)
    assert list(Study(study.path).cells[0].stages) == ["train", "evaluate:drawn", "explain:gradcam", "explain:score_cam"]


def test_the_grid_files_own_explainer_is_found_under_its_title(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}, explainers=[{"name": "gradcam", "label": "ours", "images": 2}]), "train")
    look = Look(images=2)
    assert [one.title for one in titles(study, methods(["gradcam,rise"], look))] == ["ours", "rise"]


def test_another_explanation_of_the_same_name_gets_a_number(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}), "train")  # gradcam of 2 images
    two = titles(study, methods(["gradcam,{name: gradcam, images: 4}"], Look()))
    assert [one.title for one in two] == ["gradcam 2", "gradcam 3"]
    record = added(study.record, _entries(planned(study, "gradcam", "{name: gradcam, images: 4}")))
    (study.path / "plan.json").write_text(json.dumps(record))
    known = titles(Study(study.path), methods(["{name: gradcam, images: 4}"], Look()))
    assert [one.title for one in known] == ["gradcam 3"], "the same one keeps its title"


def test_a_label_of_another_explanation_is_refused(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}), "train")
    with pytest.raises(BadInput, match="another explanation with the label 'gradcam'"):
        titles(study, methods(["{name: rise, label: gradcam}"], Look()))


@pytest.mark.parametrize(
    ("look", "complaint"),
    [
        (Look(images=("nobody.png",)), "--images: the training data: no image 'nobody.png' among 16 (nearest: "),
        (Look(pairs=("nobody.png", "none.png")), "--pairs: protocol drawn: no image 'nobody.png' among 160 (nearest: "),
    ],
)
def test_keys_that_no_image_has_are_met_before_anything_runs(make: Callable[..., Grid], look: Look, complaint: str) -> None:
    study = launched(make(axes={}), "train")
    with pytest.raises(BadInput) as error:
        check_chosen(planned(study, "gradcam", look=look), options=True)
    assert str(error.value).startswith(complaint)


def test_an_unknown_protocol_is_refused_with_the_known_ones(make: Callable[..., Grid]) -> None:
    study = launched(make(axes={}), "train")
    with pytest.raises(BadInput, match=r"no protocol with pairs of images has that title \(known: drawn\)"):
        planned(study, "gradcam", look=Look(pairs=2, protocol="view 9"))


def test_the_launch_settings_of_the_grid_file_are_used(make: Callable[..., Grid], tmp_path: Any) -> None:
    launch = {"study": str(tmp_path / "study"), "concurrency": 3, "resources": {"cpus": 0.5}}
    study = launched(make(axes={}, launch=launch), "train")
    cells, _ = trained(study, {})
    found = grid_of(study, cells, methods(["gradcam"], Look()), "auto").spec.launch
    assert (found.concurrency, found.resources.cpus, found.address) == (3, 0.5, "auto")

"""The note that a limit of spending ended the last launch."""

from collections.abc import Callable

from grid.ledger.study import Study
from grid.results.spending_stop import Stop, note_stop, stop_of
from grid.results.status import show, status

AXES = {"backbone": ["resnet34"], "detection": ["none", "mtcnn"]}
STOP = Stop("20 GPU-hours and USD 5", ["--max-gpu-hours", "--max-cost"], 3)
TEXT = (
    "the last launch or worker stopped at its limit of 20 GPU-hours and USD 5 with 3 stages left; "
    "run the same command with a higher --max-gpu-hours and --max-cost, or without"
)


def test_a_study_whose_launch_was_stopped_says_so_in_one_sentence(make_study: Callable[..., Study]) -> None:
    study = make_study(axes=AXES, protocols=(), explainers=(), unfinished=[{"detection": "mtcnn"}])
    assert status(study)["stopped"] is None
    note_stop(study.path, STOP)
    again = Study(study.path)
    found = stop_of(again)
    assert found is not None
    assert found.text == TEXT == status(again)["stopped"]["text"]
    assert TEXT in str(show(again).table.caption)
    note_stop(study.path, None)
    assert stop_of(Study(study.path)) is None
    assert "stopped" not in Study(study.path).record


def test_a_study_with_nothing_left_does_not_say_so(make_study: Callable[..., Study]) -> None:
    study = make_study(axes=AXES, protocols=(), explainers=())
    note_stop(study.path, STOP)
    assert stop_of(Study(study.path)) is None


def test_a_note_that_changes_nothing_is_not_written(make_study: Callable[..., Study]) -> None:
    study = make_study(axes=AXES, protocols=(), explainers=())
    for stop in (None, STOP):
        note_stop(study.path, stop)
        before = (study.path / "plan.json").stat().st_mtime_ns
        note_stop(study.path, stop)
        assert (study.path / "plan.json").stat().st_mtime_ns == before

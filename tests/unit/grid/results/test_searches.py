"""The searches of a study, while they run and afterwards."""

import io
from pathlib import Path

from rich.console import Console
from searched import LEVELS, LOSSES, searched_study

from grid.results.searches import searches
from grid.results.status import show, status


def test_a_search_tells_its_trials_and_which_it_chose(tmp_path: Path) -> None:
    (found,) = searches(searched_study(tmp_path))
    assert [(trial.number, trial.rung, trial.value) for trial in found.trials] == [
        (1, 1, LOSSES[0][0]), (2, 2, LOSSES[1][2]), (3, 2, LOSSES[2][2]), (4, 1, LOSSES[3][0]),
    ]  # fmt: skip
    assert found.winner is not None
    assert found.winner.number == 2
    assert [list(trial.layers) for trial in found.trials] == found.search.stacks()
    assert [len(trial.stages) for trial in found.trials] == [1, 2, 2, 1]
    assert (found.done, found.planned, found.metric) == (6, 6, "validation loss")


def test_a_search_that_runs_has_no_winner(tmp_path: Path) -> None:
    (found,) = searches(searched_study(tmp_path, trainings=5))
    assert (found.done, found.planned, found.winner) == (5, 6, None)
    assert found.text == "search of dense_layers=searched: 5 of 6 trainings done"
    assert [trial.rung for trial in found.trials] == [1, 1, 2, 1]


def test_cells_that_search_alike_share_the_search(tmp_path: Path) -> None:
    axes = {"dense_layers": {"searched": LEVELS["searched"]}}
    study = searched_study(tmp_path, axes=axes, replicates=3)
    (found,) = searches(study)
    assert len(found.cells) == 3
    assert found.title == "search of 3 cells"


def test_status_names_the_chosen_trial(tmp_path: Path) -> None:
    study = searched_study(tmp_path)
    text = io.StringIO()
    Console(file=text, width=200).print(show(study))
    (found,) = searches(study)
    assert found.winner is not None
    assert f"search of dense_layers=searched: trial 2 of 4: {found.winner.text}" in " ".join(text.getvalue().split())
    cell = status(study)["cells"][1]
    assert cell["metrics"]["search"] == {"trials": 4, "winner": 2, "validation_loss": 0.3}
    assert not any(heading.startswith("trial") for heading in cell["metrics"])

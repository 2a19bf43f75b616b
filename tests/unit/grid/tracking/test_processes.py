import multiprocessing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from grid.ledger.study import Study
from grid.tracking.sync import sync_pass
from grid.tracking.uri import connect, tracking_of

Make = Callable[..., Study]


def _copy(path: Path, start: Any) -> None:
    start.wait()
    result = sync_pass(path)
    assert result.problems == [], result.problems
    assert len(result.runs) == 1


@pytest.mark.slow
def test_eight_processes_make_one_database(make_study: Make) -> None:
    small: Mapping[str, Any] = {"axes": {"backbone": ["resnet34"]}, "protocols": (), "explainers": ()}
    studies = [make_study(f"study{number}", **small) for number in range(8)]
    context = multiprocessing.get_context("fork")  # one import for all of them
    import mlflow.tracking  # noqa: F401

    start = context.Event()
    workers = [context.Process(target=_copy, args=(study.path, start)) for study in studies]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 8
    client = connect(tracking_of(studies[0]))
    experiments = [one for one in client.search_experiments() if one.name.startswith("study")]
    assert len(experiments) == 8
    assert len(client.search_runs([one.experiment_id for one in experiments])) == 8

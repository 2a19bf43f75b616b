import os
import time
from collections.abc import Iterator

import pytest

from datamodules.loader_workers import MOST_MEASURED, batch_seconds, loader_workers, most_workers, workers_needed


@pytest.fixture
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    count: int = request.param
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(count)))
    return count


@pytest.mark.parametrize(("cores", "wanted"), [(1, 0), (4, 3), (9, 8), (64, 8)], indirect=["cores"])
def test_a_gpu_gets_all_cores_but_one_and_a_cpu_none(cores: int, wanted: int) -> None:
    assert loader_workers("auto", "gpu", 1) == wanted
    assert loader_workers("auto", "cpu", 1) == 0


@pytest.mark.parametrize(("cores", "wanted"), [(1, 0), (4, 0), (16, 1), (24, 2), (192, 8)], indirect=["cores"])
def test_the_devices_of_a_training_share_the_cores(cores: int, wanted: int) -> None:
    assert loader_workers("auto", "gpu", 8) == wanted


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
def test_what_is_asked_for_counts(accelerator: str) -> None:
    assert [loader_workers(count, accelerator, 2) for count in (0, 3, 20)] == [0, 3, 20]


@pytest.mark.parametrize(
    ("load", "step", "host", "wanted"),
    [
        (3.0, 12.0, 2.0, 0),  # 1.25 * 5 = 6.25 of 12
        (8.0, 12.0, 1.6, 0),  # 1.25 * 9.6 is exactly 12
        (8.0, 12.0, 1.7, 2),  # the interpreter is busy with the step itself: processes, 1.25 * 8 / 6 = 1.67
        (1.0, 12.0, 12.0, 1),  # on a CPU
        (12.0, 12.0, 1.0, 3),  # 1.25 * 12 / 6 = 2.5
        (60.0, 12.0, 1.0, 13),  # 1.25 * 60 / 6 = 12.5
    ],
)
def test_the_fewest_processes_that_keep_up_with_a_margin_are_enough(load: float, step: float, host: float, wanted: int) -> None:
    assert workers_needed(load, step, host) == wanted


@pytest.mark.parametrize(
    ("cores", "reserved", "wanted"),
    [(1, None, 0), (8, None, 7), (8, 1.0, 7), (8, 0.5, 7), (8, 4.0, 4), (4, 8.0, 3), (64, 1.0, MOST_MEASURED)],
    indirect=["cores"],
)
def test_processes_are_bounded_by_cores_and_by_several_reserved_cpus(cores: int, reserved: float | None, wanted: int) -> None:
    assert most_workers(reserved) == wanted


def slow(*seconds: float) -> Iterator[int]:
    for number, wait in enumerate(seconds):
        time.sleep(wait)
        yield number


def test_the_first_batch_is_not_timed() -> None:
    seconds, first = batch_seconds(slow(0.4, 0.0, 0.1, 0.1))
    assert first == 0
    assert 0.1 <= seconds < 0.4


def test_of_a_single_batch_the_time_is_known_too() -> None:
    assert batch_seconds(slow(0.1))[0] >= 0.1


def test_only_a_few_batches_are_loaded() -> None:
    left = slow(*[0.0] * 50)
    batch_seconds(left)
    assert next(left) == 9  # one that is not timed, and eight
